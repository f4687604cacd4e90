// Package gitbook reads and writes what travels between GitBook, Courier and a webhook's receiver:
// events, the environment of an installation, the request of GitBook's integration runtime, and the
// signatures of a delivery.
//
// It is the package that a receiver imports, so it uses the standard library alone, and it knows
// nothing of destinations, retries, storage or configuration.
//
// The sources of the formats are GitBook's public documentation of its Webhook integration, the
// schemas Event and IntegrationEnvironment of the npm package @gitbook/api (0.202.0), the behaviour
// of @gitbook/runtime (0.23.3), and the Standard Webhooks specification.
//
// GitBook reads JSON with JavaScript's JSON.parse, and so does this package in all that it reads by
// itself: a key matches in its exact case only, and of two members of one name the last counts.
package gitbook
