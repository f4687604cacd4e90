package app

import (
	"log/slog"
	"net/http"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/internal/codec"
	"github.com/gitbook-courier/courier/internal/seal"
	"github.com/gitbook-courier/courier/starter/access"
	"github.com/gitbook-courier/courier/starter/codecserver"
	"github.com/gitbook-courier/courier/starter/respond"
)

func newCodec(c config.Config, keys *seal.Keyring) *codec.Codec {
	return codec.New(keys, c.EncryptPayloads)
}

// CodecHandler serves the starter's routes below /codec, for a program that
// also has the Temporal UI: its pages reach them at their own origin. As with
// the starter, a browser has to show a token when the configuration has any;
// it asks its user for one, as the password of HTTP Basic.
func CodecHandler(c config.Config, log *slog.Logger) (http.Handler, error) {
	keys, err := c.Keyring()
	if err != nil {
		return nil, err
	}
	guard := func(next http.Handler) http.Handler {
		return access.Require(log, c.Access.ForAPI(), access.APIKeys, next)
	}
	server := newCodecServer(newCodec(c, keys), c, log)
	r := http.NewServeMux()
	r.Handle(codecserver.DecodePath, server.Decode(guard))
	r.Handle(codecserver.EncodePath, server.Encode(guard))
	r.Handle("/", respond.NotFound(log))
	return r, nil
}
