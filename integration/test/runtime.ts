// GitBook's own runtime with an integration that handles GitBook's webhook events, as its Webhook integration does, and
// nothing else. The end-to-end test compares its answers with Courier's.
import { createIntegration } from '@gitbook/runtime';

const nothing = async () => {};

export default createIntegration({ events: { site_view: nothing, page_feedback: nothing, space_content_updated: nothing } });
