package config

import (
	"bytes"
	"encoding/base64"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/internal/seal"
)

func TestWants(t *testing.T) {
	t.Parallel()

	spaces, sites := []string{"space_1", "space_2"}, []string{"site_1"}
	tests := []struct {
		name       string
		giveSpaces []string
		giveSites  []string
		giveType   string
		giveSpace  string
		giveSite   string
		want       bool
	}{
		{name: "no filter", giveType: "page_feedback", giveSpace: "space_9", giveSite: "site_9", want: true},
		{name: "no filter, nothing named", giveType: "page_feedback", want: true},
		{name: "another type", giveType: "site_view"},
		{name: "a part of a type", giveType: "page"},
		{name: "listed space", giveSpaces: spaces, giveType: "page_feedback", giveSpace: "space_2", want: true},
		{name: "listed space, any site", giveSpaces: spaces, giveType: "page_feedback", giveSpace: "space_2", giveSite: "site_9", want: true},
		{name: "other space", giveSpaces: spaces, giveType: "page_feedback", giveSpace: "space_9"},
		{name: "no space", giveSpaces: spaces, giveType: "page_feedback", giveSite: "site_1"},
		{name: "listed site", giveSites: sites, giveType: "page_feedback", giveSite: "site_1", want: true},
		{name: "other site", giveSites: sites, giveType: "page_feedback", giveSpace: "space_1", giveSite: "site_9"},
		{name: "both listed", giveSpaces: spaces, giveSites: sites, giveType: "page_feedback", giveSpace: "space_1", giveSite: "site_1", want: true},
		{name: "both given, space alone", giveSpaces: spaces, giveSites: sites, giveType: "page_feedback", giveSpace: "space_1", want: true},
		{name: "both given, site alone", giveSpaces: spaces, giveSites: sites, giveType: "page_feedback", giveSite: "site_1", want: true},
		{name: "both given, other space", giveSpaces: spaces, giveSites: sites, giveType: "page_feedback", giveSpace: "space_9", giveSite: "site_1"},
		{name: "both given, other site", giveSpaces: spaces, giveSites: sites, giveType: "page_feedback", giveSpace: "space_1", giveSite: "site_9"},
		{name: "both given, nothing named", giveSpaces: spaces, giveSites: sites, giveType: "page_feedback"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			destination := Destination{Events: []string{"page_feedback"}, Spaces: tt.giveSpaces, Sites: tt.giveSites}
			event := gitbook.Event{Type: tt.giveType, SpaceID: tt.giveSpace, SiteID: tt.giveSite}
			require.Equal(t, tt.want, destination.Wants(event))
		})
	}
}

func TestWantsWhatMatches(t *testing.T) {
	t.Parallel()
	event, err := gitbook.ParseEvent([]byte(`{"eventId":"evt_1","type":"site_view","visitor":{"language":"de","ip":"203.0.113.7"}}`))
	require.NoError(t, err)
	for _, tt := range []struct {
		match map[string][]string
		want  bool
	}{
		{nil, true},
		{map[string][]string{"visitor.language": {"en", "de*"}}, true},
		{map[string][]string{"visitor.language": {"en"}}, false},
		{map[string][]string{"visitor.language": {"de"}, "visitor.ip": {"203.*"}}, true},
		{map[string][]string{"visitor.language": {"de"}, "visitor.ip": {"10.*"}}, false},
		{map[string][]string{"visitor.country": {"*"}}, false},
	} {
		destination := Destination{Events: []string{"site_view"}, Match: tt.match}
		require.Equal(t, tt.want, destination.Wants(event), "%v", tt.match)
	}
}

func TestResolveFindsFormerNames(t *testing.T) {
	t.Parallel()

	search := Destination{Name: "search", Formerly: []string{"index", "search-index"}}
	cache := Destination{Name: "cache"}
	cfg := Config{Destinations: []Destination{cache, search}}
	tests := []struct {
		give           string
		wantResolved   Destination
		wantResolves   bool
		wantHasItToday bool
	}{
		{give: "search", wantResolved: search, wantResolves: true, wantHasItToday: true},
		{give: "index", wantResolved: search, wantResolves: true},
		{give: "search-index", wantResolved: search, wantResolves: true},
		{give: "cache", wantResolved: cache, wantResolves: true, wantHasItToday: true},
		{give: "other"},
		{give: ""},
	}
	for _, tt := range tests {
		resolved, ok := cfg.Resolve(tt.give)
		require.Equal(t, tt.wantResolves, ok, tt.give)
		require.Equal(t, tt.wantResolved, resolved, tt.give)
		_, ok = cfg.Destination(tt.give)
		require.Equal(t, tt.wantHasItToday, ok, tt.give)
	}
	require.Equal(t, []string{"search", "index", "search-index"}, search.Names())
	require.Equal(t, []string{"cache"}, cache.Names())
}

func TestInstallationPrefersItsOwnEntry(t *testing.T) {
	t.Parallel()

	cfg := Config{Installations: []Installation{{ID: "*"}, {ID: "inst_1", AllowPrivate: true}}}
	own, found := cfg.Installation("inst_1")
	require.True(t, found)
	require.Equal(t, Installation{ID: "inst_1", AllowPrivate: true}, own)

	other, found := cfg.Installation("inst_2")
	require.True(t, found)
	require.Equal(t, Installation{ID: "*"}, other)

	cfg.Installations = cfg.Installations[1:]
	_, found = cfg.Installation("inst_2")
	require.False(t, found)
}

func TestKeyring(t *testing.T) {
	t.Parallel()

	older := bytes.Repeat([]byte{1}, seal.KeySize)
	newer := bytes.Repeat([]byte{2}, seal.KeySize)
	encode := func(key []byte) Secret { return Secret(base64.StdEncoding.EncodeToString(key)) }

	before, err := Config{SealingKeys: []Secret{encode(older)}}.Keyring()
	require.NoError(t, err)
	after, err := Config{SealingKeys: []Secret{encode(newer), encode(older)}}.Keyring()
	require.NoError(t, err)

	sealed, err := before.Seal([]byte("secret"), nil)
	require.NoError(t, err)
	opened, err := after.Open(sealed, nil)
	require.NoError(t, err)
	require.Equal(t, "secret", string(opened))

	sealed, err = after.Seal([]byte("secret"), nil)
	require.NoError(t, err)
	_, err = before.Open(sealed, nil)
	require.ErrorIs(t, err, seal.ErrKeyUnknown)

	none, err := Default().Keyring()
	require.NoError(t, err)
	_, err = none.Seal([]byte("secret"), nil)
	require.ErrorIs(t, err, seal.ErrNoKey)

	_, err = Config{SealingKeys: []Secret{"no key"}}.Keyring()
	require.EqualError(t, err, "sealing_keys[0]: is not base64; make one with `openssl rand -base64 32`")
}

// A stop that cuts an attempt loses its entry in the attempt log, so each stage must outlast the
// one before.
func TestShutdownStagesOutlastEachOther(t *testing.T) {
	t.Parallel()

	// How long the container of docker-compose.yml may take to stop.
	const containerGrace = 60 * time.Second

	for _, timeout := range []time.Duration{minTimeout, DefaultTimeout, DefaultTimeout + 1, maxTimeout} {
		cfg := Config{Destinations: []Destination{{Timeout: minTimeout}, {Timeout: timeout}}}
		require.Equal(t, max(timeout, DefaultTimeout), cfg.AttemptTimeout())
		require.Greater(t, cfg.WorkerStopTimeout(), cfg.AttemptTimeout())
		require.Greater(t, cfg.StopTimeout(), cfg.WorkerStopTimeout())
		require.Less(t, cfg.StopTimeout(), containerGrace)
	}
	require.Equal(t, 20*time.Second, Default().StopTimeout())
	require.Equal(t, 40*time.Second, Config{Destinations: []Destination{{Timeout: maxTimeout}}}.StopTimeout())
}

// A default that is shared between destinations could be changed through one of them.
func TestDefaultDestinationSharesNothing(t *testing.T) {
	t.Parallel()

	changed := DefaultDestination()
	changed.Events[0], changed.Retries[0] = "changed", time.Hour
	require.NotEqual(t, changed.Events, DefaultDestination().Events)
	require.NotEqual(t, changed.Retries, DefaultDestination().Retries)
}
