package app

import (
	"bytes"
	"log"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStandardLogDoesNotQuoteDestinations(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	standard := log.New(standardLog{&b}, "", 0)
	standard.Printf("Unsolicited response received on idle HTTP channel starting with %q; err=%v", "geheim", nil)
	standard.Print("anything else")
	require.Equal(t, "a destination sent something unasked; its connection was closed\nanything else\n", b.String())
}
