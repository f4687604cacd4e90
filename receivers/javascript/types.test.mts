// Compiled by the tests, not run: the types of an event lead to its members.
import { type Event, SignatureError, verify } from './courier.mjs';

export function describe(event: Event): string {
    switch (event.type) {
        case 'site_view':
            return `${event.visitor.language ?? 'unknown'} ${event.url}`;
        case 'page_feedback':
            return event.feedback.rating;
        case 'space_content_updated':
            return `${event.spaceId} ${event.revisionId} ${event.updatedBy?.[0]?.displayName}`;
        case 'space_gitsync_completed':
            return event.state;
        case 'installation_deleted':
            return event.installationId;
        default:
            return event.eventId;
    }
}

export function receive(body: Buffer, headers: Headers): number {
    try {
        return describe(verify(body, headers.get('x-gitbook-signature'), 'secret')).length;
    } catch (error) {
        return error instanceof SignatureError && error.code === 'no_secret' ? 500 : 401;
    }
}

// @ts-expect-error A code that does not exist.
export const typo = (error: SignatureError) => error.code === 'to_old';
