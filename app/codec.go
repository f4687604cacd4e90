package app

import (
	"log/slog"
	"net/http"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/internal/codec"
	"github.com/gitbook-courier/courier/internal/seal"
	"github.com/gitbook-courier/courier/starter/access"
)

func newCodec(c config.Config, keys *seal.Keyring) *codec.Codec {
	return codec.New(keys, c.EncryptPayloads)
}

// CodecHandler serves the starter's routes below /codec, for a program that also has the Temporal
// UI: its pages reach them at their own origin. As with the starter, a browser has to show a token
// when the configuration has any; it asks its user for one, as the password of HTTP Basic.
func CodecHandler(c config.Config, log *slog.Logger) (http.Handler, error) {
	keys, err := c.Keyring()
	if err != nil {
		return nil, err
	}
	guard := func(next http.Handler) http.Handler {
		return access.Require(log, c.Access.ForAPI(), access.APIKeys, next)
	}
	return newCodecServer(newCodec(c, keys), c, log).Handler(guard), nil
}
