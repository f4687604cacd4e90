// Types of courier.mjs, and of the events of GitBook's schema (@gitbook/api 0.202.0). GitBook adds types and members over
// time: leave room for others.

export const DEFAULT_TOLERANCE: number;

export type SignatureErrorCode = 'no_secret' | 'missing' | 'malformed' | 'mismatch' | 'too_old' | 'too_new' | 'not_an_event';

export class SignatureError extends Error {
    readonly code: SignatureErrorCode;
}

export interface VerifyOptions {
    /** How far, in seconds, the time of a signature may be from `now`; 300 by default. */
    tolerance?: number;
    /** The receiver's clock, in seconds since 1970; the machine's by default. */
    now?: number;
}

/** The bytes as they came. */
export type Body = Uint8Array | ArrayBuffer | string;

export function verify(body: Body, signature: string | null | undefined, secrets: string | string[], options?: VerifyOptions): Event;

export function verifyBytes(body: Body, signature: string | null | undefined, secrets: string | string[], options?: VerifyOptions): void;

export interface StandardHeaders {
    /** webhook-id */
    id?: string | null;
    /** webhook-timestamp */
    timestamp?: string | null;
    /** webhook-signature */
    signature?: string | null;
}

export function verifyStandard(body: Body, headers: StandardHeaders, secrets: string | string[], options?: VerifyOptions): Event;

export interface BaseEvent {
    eventId: string;
    type: string;
}

interface InstallationEvent extends BaseEvent {
    installationId: string;
}

interface SpaceEvent extends InstallationEvent {
    spaceId: string;
}

interface SiteEvent extends InstallationEvent {
    siteId: string;
}

export interface Visitor {
    anonymousId: string;
    cookies: Record<string, string>;
    userAgent: string;
    ip: string;
    language?: string;
}

export interface User {
    object: 'user';
    id: string;
    displayName: string;
    email?: string;
    photoURL?: string;
    urls: { location: string };
}

export interface SiteViewEvent extends SiteEvent {
    type: 'site_view';
    spaceId?: string;
    siteSpaceId?: string;
    pageId?: string;
    visitor: Visitor;
    url: string;
    referrer: string;
}

export interface PageFeedbackEvent extends SiteEvent {
    type: 'page_feedback';
    spaceId?: string;
    pageId?: string;
    feedback: { rating: 'bad' | 'ok' | 'good'; comment?: string };
    visitor: Visitor;
    url: string;
    referrer: string;
}

export interface SpaceContentUpdatedEvent extends SpaceEvent {
    type: 'space_content_updated';
    revisionId: string;
    updatedBy?: User[];
}

export interface SpaceGitSyncStartedEvent extends SpaceEvent {
    type: 'space_gitsync_started';
    revisionId: string;
    commitId: string;
}

export interface SpaceGitSyncCompletedEvent extends SpaceEvent {
    type: 'space_gitsync_completed';
    state: 'success' | 'failure';
    revisionId: string;
    commitId: string;
}

export type Visibility = 'public' | 'unlisted' | 'share-link' | 'visitor-auth' | 'in-collection' | 'private';

export interface SpaceVisibilityUpdatedEvent extends SpaceEvent {
    type: 'space_visibility_updated';
    previousVisibility: Visibility;
    visibility: Visibility;
}

export type InstallationStatus = 'active' | 'pending' | 'paused';

interface Setup {
    status: InstallationStatus;
    previous?: { status: InstallationStatus; configuration?: object };
}

interface Deleted {
    previous: { configuration?: object };
}

export interface InstallationSetupEvent extends InstallationEvent, Setup {
    type: 'installation_setup';
}

export interface SpaceInstallationSetupEvent extends SpaceEvent, Setup {
    type: 'space_installation_setup';
}

export interface SiteInstallationSetupEvent extends SiteEvent, Setup {
    type: 'site_installation_setup';
}

export interface InstallationDeletedEvent extends InstallationEvent, Deleted {
    type: 'installation_deleted';
}

export interface SpaceInstallationDeletedEvent extends SpaceEvent, Deleted {
    type: 'space_installation_deleted';
}

export interface SiteInstallationDeletedEvent extends SiteEvent, Deleted {
    type: 'site_installation_deleted';
}

export interface TaskEvent extends BaseEvent {
    type: 'task';
    task: object;
}

export interface UIRenderEvent extends InstallationEvent {
    type: 'ui_render';
    spaceId?: string;
    siteId?: string;
    auth?: { userId: string };
    componentId: string;
    props: object;
    state?: object;
    context: object;
    action?: object;
}

export interface FetchPublishedScriptEvent extends SiteEvent {
    type: 'fetch_published_script';
}

export interface FetchVisitorAuthenticationEvent extends SiteEvent {
    type: 'fetch_visitor_authentication';
    location?: string;
    searchParams?: Record<string, string>;
    cookies?: Record<string, string>;
    action?: 'logout';
}

export interface ContentComputeEvent extends SpaceEvent {
    type: 'content_compute_document' | 'content_compute_revision';
    sourceId: string;
    props: object;
    dependencies: Record<string, object>;
}

/** A delivery of a `fetch` event has the body of the request instead; see verifyBytes. */
export type Event =
    | SiteViewEvent
    | PageFeedbackEvent
    | SpaceContentUpdatedEvent
    | SpaceGitSyncStartedEvent
    | SpaceGitSyncCompletedEvent
    | SpaceVisibilityUpdatedEvent
    | InstallationSetupEvent
    | SpaceInstallationSetupEvent
    | SiteInstallationSetupEvent
    | InstallationDeletedEvent
    | SpaceInstallationDeletedEvent
    | SiteInstallationDeletedEvent
    | TaskEvent
    | UIRenderEvent
    | FetchPublishedScriptEvent
    | FetchVisitorAuthenticationEvent
    | ContentComputeEvent;
