package gitbook_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/gitbook-courier/courier/gitbook"
)

func ExampleVerifier_Verify() {
	body := []byte(`{"eventId":"evt_1","type":"space_content_updated"}`)
	sentAt := time.Unix(1735689600, 0)
	header := gitbook.Sign(sentAt, body, "the secret")

	verifier := gitbook.Verifier{
		Secrets: []string{"the secret"},
		Now:     func() time.Time { return sentAt.Add(time.Minute) }, // Leave it out to use the machine's clock.
	}
	fmt.Println(verifier.Verify(header, body))
	fmt.Println(verifier.Verify(header, []byte("something else")))
	// Output:
	// <nil>
	// the signature does not match
}

func ExampleVerifier_Handler() {
	var seen sync.Map // Event ids. Use your database instead, so that they outlive the process.
	receive := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, "the body cannot be read", http.StatusBadRequest)
			return
		}
		event, err := gitbook.ParseEvent(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if _, duplicate := seen.LoadOrStore(event.ID, true); !duplicate {
			fmt.Println("received", event.Type, event.ID)
		}
	}
	verifier := gitbook.Verifier{Secrets: []string{"the secret"}}
	server := httptest.NewServer(verifier.Handler(http.HandlerFunc(receive)))
	defer server.Close()

	post := func(secret string) string {
		body := `{"eventId":"evt_1","type":"space_content_updated"}`
		request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, server.URL, strings.NewReader(body))
		if err != nil {
			panic(err)
		}
		request.Header.Set(gitbook.SignatureHeader, gitbook.Sign(time.Now(), []byte(body), secret))
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			panic(err)
		}
		_ = response.Body.Close()
		return response.Status
	}
	fmt.Println(post("the secret"))
	fmt.Println(post("the secret")) // A webhook can arrive twice.
	fmt.Println(post("a guess"))
	// Output:
	// received space_content_updated evt_1
	// 200 OK
	// 200 OK
	// 401 Unauthorized
}

func ExampleParseEvent() {
	event, err := gitbook.ParseEvent([]byte(`{"eventId":"evt_1","type":"page_feedback","siteId":"site_1",
		"feedback":{"rating":"good","comment":"Clear & short"},"url":"https://docs.example.com/"}`))
	if err != nil {
		panic(err)
	}
	switch event.Type {
	case gitbook.EventPageFeedback:
		var feedback gitbook.PageFeedback
		if err := event.Decode(&feedback); err != nil {
			panic(err)
		}
		fmt.Println(feedback.URL, feedback.Feedback.Rating, feedback.Feedback.Comment)
	default:
		// A type without a struct of its own: ask for single fields.
		state, _ := event.Field("state")
		fmt.Println(event.Type, string(state))
	}
	// Output: https://docs.example.com/ good Clear & short
}

func ExampleSign() {
	body := []byte(`{"eventId":"evt_1","type":"space_content_updated"}`)
	fmt.Println(gitbook.Sign(time.Unix(1735689600, 0), body, "the secret"))
	// Output: t=1735689600,v1=f9e7148ae5b79d054208ea6bd3cccfc0b8ef85dee29183c5c105b8c7ce4bcf66
}
