package gitbook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

const formType = "multipart/form-data; boundary=b"

// field is one part of a form with the boundary "b".
func field(name, value string) string {
	return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
}

func form(fields ...string) string { return strings.Join(fields, "") + "--b--\r\n" }

func TestParseRuntimeRequest(t *testing.T) {
	t.Parallel()
	valid := form(field("event", documentedEvent), field("environment", environment))
	tests := []struct {
		name            string
		giveContentType string
		giveBody        string
		wantRaw         string
	}{
		{name: "event and environment", giveBody: valid, wantRaw: documentedEvent},
		{
			name:     "in the other order",
			giveBody: form(field("environment", environment), field("event", documentedEvent)), wantRaw: documentedEvent,
		},
		{
			name:     "awkward bytes stay as they are",
			giveBody: form(field("event", awkward), field("environment", environment)), wantRaw: awkward,
		},
		{
			name:     "the first of two fields counts",
			giveBody: form(field("event", documentedEvent), field("environment", environment), field("event", "{"), field("environment", "")),
			wantRaw:  documentedEvent,
		},
		{
			name: "other fields are passed over",
			giveBody: form(field("fetch-body", "\x00\xff{\r\n--c\r\n"), field("event", documentedEvent), field("Event", "{"),
				field("", "x"), field("environment", environment)),
			wantRaw: documentedEvent,
		},
		{
			name:     "a part without a disposition is passed over",
			giveBody: "--b\r\n\r\nx\r\n" + valid, wantRaw: documentedEvent,
		},
		{
			name: "a field sent as a file",
			giveBody: "--b\r\nContent-Disposition: form-data; name=\"event\"; filename=\"e.json\"\r\n" +
				"Content-Type: application/json\r\n\r\n" + documentedEvent + "\r\n" + form(field("environment", environment)),
			wantRaw: documentedEvent,
		},
		{
			name: "an encoding that is not decoded",
			giveBody: "--b\r\nContent-Disposition: form-data; name=\"event\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" +
				`{"eventId":"=41","type":"a"}` + "\r\n" + form(field("environment", environment)),
			wantRaw: `{"eventId":"=41","type":"a"}`,
		},
		{name: "no line break at the end", giveBody: strings.TrimSuffix(valid, "\r\n"), wantRaw: documentedEvent},
		{name: "an epilogue", giveBody: valid + "anything", wantRaw: documentedEvent},
		{name: "a preamble", giveBody: "anything\r\n" + valid, wantRaw: documentedEvent},
		{
			name: "as many parts as may be, one with headers as large as they may be",
			giveBody: form(append(slices.Repeat([]string{field("more", strings.Repeat("x", 9<<10))}, 13),
				"--b\r\nX: "+strings.Repeat("x", maxPartHeaderBytes-len("--b\r\nX: \r\n\r\n")-2)+"\r\n\r\n\r\n",
				field("event", documentedEvent), field("environment", environment))...),
			wantRaw: documentedEvent,
		},
		{
			name: "a quoted boundary and a type in capitals", giveContentType: `Multipart/Form-Data; charset=utf-8; boundary="b"`,
			giveBody: valid, wantRaw: documentedEvent,
		},
		{
			name: "the longest boundary", giveContentType: "multipart/form-data; boundary=" + strings.Repeat("b", 70),
			giveBody: strings.ReplaceAll(valid, "--b", "--"+strings.Repeat("b", 70)), wantRaw: documentedEvent,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			contentType := tt.giveContentType
			if contentType == "" {
				contentType = formType
			}
			for _, body := range []io.Reader{
				strings.NewReader(tt.giveBody),
				iotest.OneByteReader(strings.NewReader(tt.giveBody)),
				iotest.DataErrReader(strings.NewReader(tt.giveBody)),
			} {
				request, err := ParseRuntimeRequest(contentType, body)
				require.NoError(t, err)
				require.Equal(t, tt.wantRaw, string(request.Event.Raw()))
				require.Equal(t, "inst_def456", request.Environment.InstallationID)
			}
		})
	}
}

func TestParseRuntimeRequestErrors(t *testing.T) {
	t.Parallel()
	valid := form(field("event", documentedEvent), field("environment", environment))
	tests := []struct {
		name            string
		giveContentType string
		giveBody        string
		wantIs          error
		want            string
	}{
		{name: "no content type", giveContentType: "-", giveBody: valid, wantIs: ErrMediaType},
		{name: "JSON", giveContentType: "application/json", giveBody: documentedEvent, wantIs: ErrMediaType},
		{name: "another multipart type", giveContentType: "multipart/mixed; boundary=b", giveBody: valid, wantIs: ErrMediaType},
		{name: "no boundary", giveContentType: "multipart/form-data", giveBody: valid, wantIs: ErrMultipart},
		{name: "empty boundary", giveContentType: `multipart/form-data; boundary=""`, giveBody: valid, wantIs: ErrMultipart},
		{name: "broken parameter", giveContentType: "multipart/form-data; boundary=b; =", giveBody: valid, wantIs: ErrMultipart},
		{
			name: "too long a boundary", giveContentType: "multipart/form-data; boundary=" + strings.Repeat("b", 71),
			giveBody: valid, wantIs: ErrMultipart,
		},
		{
			name: "nothing", giveBody: "", wantIs: ErrMultipart,
			want: "the multipart body is broken: it ends before its closing boundary",
		},
		{name: "another boundary", giveBody: strings.ReplaceAll(valid, "--b", "--c"), wantIs: ErrMultipart},
		{
			name: "more parts than may be", giveBody: form(slices.Repeat([]string{field("event", documentedEvent)}, 17)...), wantIs: ErrMultipart,
			want: "the multipart body is broken: it has more than 16 parts",
		},
		{
			name: "one large header of a part", wantIs: ErrMultipart,
			giveBody: form("--b\r\nX: "+strings.Repeat("x", 13<<10)+"\r\n\r\n\r\n", field("event", documentedEvent)),
			want:     "the multipart body is broken: the headers of a part are larger than 8192 bytes",
		},
		{
			name: "many small headers of a later part", wantIs: ErrMultipart,
			giveBody: form(field("event", documentedEvent), "--b\r\n"+strings.Repeat("x: y\r\n", 4<<10)+"\r\n\r\n"),
			want:     "the multipart body is broken: the headers of a part are larger than 8192 bytes",
		},
		{
			name: "a line of JSON among the headers", giveBody: "--b\r\n" + environment + "\r\n\r\n--b--\r\n", wantIs: ErrMultipart,
			want: "the multipart body is broken",
		},
		{name: "no parts", giveBody: form(), want: "event: is missing; send it as a multipart field"},
		{
			name: "no event", giveBody: form(field("environment", environment)),
			want: "event: is missing; send it as a multipart field",
		},
		{
			name: "event in another case", giveBody: form(field("Event", documentedEvent), field("environment", environment)),
			want: "event: is missing; send it as a multipart field",
		},
		{
			name: "no environment", giveBody: form(field("event", documentedEvent)),
			want: "environment: is missing; send it as a multipart field",
		},
		{
			name: "an empty event", giveBody: form(field("event", ""), field("environment", environment)),
			want: "event: is not one JSON object",
		},
		{
			name:     "the first event counts, though it is empty",
			giveBody: form(field("event", ""), field("event", documentedEvent), field("environment", environment)),
			want:     "event: is not one JSON object",
		},
		{
			name: "a bad environment", giveBody: form(field("event", documentedEvent), field("environment", "[]")),
			want: "environment: is not one JSON object",
		},
		{
			name: "a bad id", giveBody: form(field("event", `{"eventId":"","type":"a"}`), field("environment", environment)),
			want: "event.eventId: must be 1 to 255 visible ASCII characters or spaces",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			contentType := tt.giveContentType
			switch contentType {
			case "":
				contentType = formType
			case "-":
				contentType = ""
			}
			request, err := ParseRuntimeRequest(contentType, strings.NewReader(tt.giveBody))
			require.Error(t, err)
			require.NotContains(t, err.Error(), "s3cret")
			if tt.want != "" {
				require.EqualError(t, err, tt.want)
			}
			if tt.wantIs != nil {
				require.ErrorIs(t, err, tt.wantIs)
			} else {
				var field *FieldError
				require.ErrorAs(t, err, &field)
			}
			require.Empty(t, request.Event.ID)
			require.Empty(t, request.Environment.InstallationID)
		})
	}
}

// Ensure that a body that breaks off anywhere before the closing boundary is never taken for a
// whole one, and that a limit on the body is always recognized as such.
func TestParseRuntimeRequestCutOffAnywhere(t *testing.T) {
	t.Parallel()
	whole := form(field("event", documentedEvent), field("environment", environment), field("fetch-body", "--bx\r\n--bx"))
	closed := strings.TrimSuffix(whole, "\r\n")
	for n := range len(closed) {
		_, err := ParseRuntimeRequest(formType, strings.NewReader(whole[:n]))
		require.ErrorIs(t, err, ErrMultipart, "cut at %d", n)

		body := http.MaxBytesReader(httptest.NewRecorder(), io.NopCloser(strings.NewReader(whole)), int64(n))
		_, err = ParseRuntimeRequest(formType, body)
		var tooLarge *http.MaxBytesError
		require.ErrorAs(t, err, &tooLarge, "limit %d", n)
		require.NotErrorIs(t, err, ErrMultipart)
	}
	_, err := ParseRuntimeRequest(formType, strings.NewReader(closed))
	require.NoError(t, err)
}

func TestParseRuntimeRequestReaderFails(t *testing.T) {
	t.Parallel()
	for _, begun := range []string{"", "--b\r\nContent-Disp", field("event", documentedEvent), "--b\r\n\r\nx"} {
		slow := fmt.Errorf("read tcp: %w", os.ErrDeadlineExceeded)
		_, err := ParseRuntimeRequest(formType, io.MultiReader(strings.NewReader(begun), iotest.ErrReader(slow)))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded, begun)
		require.NotErrorIs(t, err, ErrMultipart)
	}
	body := io.MultiReader(strings.NewReader(field("event", documentedEvent)), iotest.ErrReader(errors.New("s3cret")))
	_, err := ParseRuntimeRequest(formType, body)
	require.ErrorIs(t, err, ErrMultipart)
	require.NotContains(t, err.Error(), "s3cret")
}

func TestUnhandledAnswer(t *testing.T) {
	t.Parallel()
	tests := []struct {
		give        string
		wantStatus  int
		wantMessage string
	}{
		{give: `"type":"fetch"`, wantStatus: 400, wantMessage: "Integration does not handle HTTP requests"},
		{give: `"type":"task"`, wantStatus: 400, wantMessage: "Integration does not handle tasks"},
		{
			give: `"type":"fetch_published_script"`, wantStatus: 400,
			wantMessage: "Integration does not handle fetch_published_script",
		},
		{
			give: `"type":"fetch_visitor_authentication"`, wantStatus: 400,
			wantMessage: "Integration does not handle fetch_visitor_authentication",
		},
		{give: `"type":"ui_render","componentId":"config"`, wantStatus: 404, wantMessage: "Component config not found"},
		{give: `"type":"ui_render"`, wantStatus: 404, wantMessage: "Component undefined not found"},
		{give: `"type":"ui_render","componentId":7`, wantStatus: 404, wantMessage: "Component 7 not found"},
		{give: `"type":"ui_render","componentId":null`, wantStatus: 404, wantMessage: "Component null not found"},
		{give: `"type":"ui_render","componentId":{"a":1}`, wantStatus: 404, wantMessage: "Component [object Object] not found"},
		{give: `"type":"ui_render","componentId":[1,null,"x"]`, wantStatus: 404, wantMessage: "Component 1,,x not found"},
		{give: `"type":"ui_render","componentId":1e-7`, wantStatus: 404, wantMessage: "Component 1e-7 not found"},
		{give: `"type":"ui_render","componentId":1.50`, wantStatus: 404, wantMessage: "Component 1.5 not found"},
		{give: `"type":"ui_render","componentId":true`, wantStatus: 404, wantMessage: "Component true not found"},
		{give: `"type":"ui_render","componentID":"x"`, wantStatus: 404, wantMessage: "Component undefined not found"},
		{give: `"type":"ui_render","componentId":""`, wantStatus: 404, wantMessage: "Component  not found"},
		{
			give: `"type":"content_compute_revision","sourceId":"\u0061"`, wantStatus: 404,
			wantMessage: "Content source a not found",
		},
		{give: `"type":"content_compute_document"`, wantStatus: 404, wantMessage: "Content source undefined not found"},
		{
			give: `"type":"space_visibility_updated"`, wantStatus: 406,
			wantMessage: `Integration does not handle "space_visibility_updated" events`,
		},
		{give: `"type":"a\"b"`, wantStatus: 406, wantMessage: `Integration does not handle "a"b" events`},
	}
	for _, tt := range tests {
		t.Run(tt.give, func(t *testing.T) {
			t.Parallel()
			event, err := ParseEvent([]byte(`{"eventId":"1",` + tt.give + `}`))
			require.NoError(t, err)
			status, message := UnhandledAnswer(event)
			require.Equal(t, tt.wantStatus, status)
			require.Equal(t, tt.wantMessage, message)
		})
	}
}

func BenchmarkParseRuntimeRequest(b *testing.B) {
	body := []byte(form(field("event", documentedEvent), field("environment", environment)))
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := ParseRuntimeRequest(formType, bytes.NewReader(body)); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzParseRuntimeRequest(f *testing.F) {
	whole := form(field("event", documentedEvent), field("environment", environment))
	for _, seed := range []string{
		whole, whole[:len(whole)-4], form(field("event", awkward), field("event", "{}"), field("environment", "{}")),
		form(field("fetch-body", "\x00"), field("event", "{"), field("environment", "[]")), "--b\r\n", "--b--", "--b\n\n\n--b--\n",
	} {
		f.Add(formType, []byte(seed))
	}
	f.Add(`multipart/form-data; boundary="b`, []byte(whole))
	f.Add("application/json", []byte(documentedEvent))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		request, err := ParseRuntimeRequest(contentType, bytes.NewReader(body))
		if err != nil {
			var field *FieldError
			require.True(t, errors.Is(err, ErrMediaType) || errors.Is(err, ErrMultipart) || errors.As(err, &field), "%v", err)
			require.Equal(t, RuntimeRequest{}, request)
			return
		}
		require.True(t, validEventID(request.Event.ID))
		require.Contains(t, string(body), string(request.Event.Raw()))

		// What was accepted is accepted again in a form of its own, with the same event.
		var again bytes.Buffer
		writer := multipart.NewWriter(&again)
		require.NoError(t, writer.WriteField("event", string(request.Event.Raw())))
		require.NoError(t, writer.WriteField("environment", "{}"))
		require.NoError(t, writer.Close())
		second, err := ParseRuntimeRequest(writer.FormDataContentType(), &again)
		require.NoError(t, err)
		require.Equal(t, request.Event, second.Event)
	})
}
