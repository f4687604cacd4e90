package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFilesInValues(t *testing.T) {
	t.Parallel()

	folder := t.TempDir()
	write := func(name, content string) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600))
	}
	write("plain", "planted")
	write("newline", "planted\n")
	write("crlf", "planted\r\n")
	write("two", "planted\n\n")
	write("return", "planted\r")
	write("empty", "")
	write("reference", "${UNSET} ${file:plain}")
	write("largest", strings.Repeat("s", 64<<10))
	write("larger", strings.Repeat("s", 64<<10+1))
	write("a b:c", "planted")
	require.NoError(t, os.Mkdir(filepath.Join(folder, "folder"), 0o700))

	const (
		control = "sources[0].secrets[0]: holds a line break or another control character"
		form    = "sources[0].secrets[0]: " + badReference
	)
	tests := []struct {
		give    string
		want    string
		wantErr string
	}{
		{give: "${file:plain}", want: "planted"},
		{give: "${file:newline}", want: "planted"},
		{give: "${file:crlf}", want: "planted"},
		{give: "${file:./plain}", want: "planted"},
		{give: "${file:" + folder + "/plain}", want: "planted"},
		{give: "${file:a b:c}", want: "planted"},
		{give: "1${file:newline}2${file:plain}3", want: "1planted2planted3"},
		{give: "${file:reference}", want: "${UNSET} ${file:plain}"},
		{give: "$${file:plain}", want: "${file:plain}"},
		{give: "${file:largest}", want: strings.Repeat("s", 64<<10)},
		{give: "${file:two}", wantErr: control},
		{give: "${file:return}", wantErr: control},
		{give: "${LINE}", wantErr: control},
		{give: "${file:empty}", wantErr: "sources[0].secrets[0]: is empty"},
		{
			give:    "${file:larger}",
			wantErr: "sources[0].secrets[0]: ${file:larger} is a file of more than 65536 bytes; give one that holds this value alone",
		},
		{
			give: "${file:missing}",
			wantErr: "sources[0].secrets[0]: ${file:missing} cannot be read (no such file or directory); " +
				"check the path and the file's permissions",
		},
		{give: "${file:folder}", wantErr: "sources[0].secrets[0]: ${file:folder} is not a regular file; give the path of one"},
		{give: "${file:}", wantErr: form},
		{give: "${file:plain", wantErr: form},
		{give: "${file:${LINE}}", wantErr: form},
		{give: "${FILE:plain}", wantErr: form},
	}
	for _, tt := range tests {
		t.Run(tt.give, func(t *testing.T) {
			t.Parallel()

			path := filepath.Join(folder, "courier.yaml")
			file := "\nsources:\n  - name: docs\n    secrets: ['" + tt.give + "']\n"
			lookup := environment(map[string]string{"LINE": "planted\n"})
			cfg, err := Parse([]byte(file), path, Options{Lookup: lookup})
			if tt.wantErr != "" {
				require.EqualError(t, err, path+":4: "+tt.wantErr)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, cfg.Sources[0].Secrets[0].Reveal())
		})
	}
}
