package azure

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/outcome"
)

// failures reads what the SDK answers.
var failures = &outcome.SDK{
	Answered:   answered,
	Unanswered: unanswered,
	Left:       mayHaveLeft,
	Acted:      outcome.MayHaveActed,
}

var (
	translate = failures.Translate
	asError   = failures.AsError
	reads     = failures.Read
	writes    = failures.Write
)

// mayHaveLeft: of an interrupted request the SDK keeps nothing but that.
func mayHaveLeft(err error) bool {
	var sent *url.Error
	return errors.As(err, &sent) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func answered(err error) *storage.Error {
	answer := answerOf(err)
	if answer == nil {
		return nil
	}
	header := answer.RawResponse.Header
	code, message := words(answer)
	v := verdictOf(code, answer.StatusCode)
	if isOldEmulator(code, header) {
		v.hint = emulatorHint
	}
	return &storage.Error{
		Code:       v.code,
		Status:     answer.StatusCode,
		RequestID:  header.Get("X-Ms-Request-Id"),
		Retryable:  outcome.Passes(v.code),
		RetryAfter: retryAfter(header),
		Hint:       v.hint,
		Err:        &refusal{code: code, message: message, status: answer.StatusCode, answer: err},
	}
}

// A refusal is the SDK's error without what it prints: the whole answer, which
// on a failed signature holds the signature.
type refusal struct {
	code, message string
	status        int
	answer        error
}

func (r *refusal) Error() string {
	text := strings.TrimSpace(r.code + ": " + r.message)
	if r.message == "" {
		text = strings.TrimSuffix(text, ":")
	}
	if text == ":" || text == "" {
		return fmt.Sprintf("the service answered %d", r.status)
	}
	return text
}

// Unwrap is the SDK's *azcore.ResponseError.
func (r *refusal) Unwrap() error { return r.answer }

// answerOf is the answer that an error came with, or nil.
func answerOf(err error) *azcore.ResponseError {
	var answer *azcore.ResponseError
	if !errors.As(err, &answer) || answer.RawResponse == nil || answer.StatusCode == 0 {
		return nil
	}
	return answer
}

// words are the service's own: the code, and the first line of the message,
// whose others are the request's id and the time. HEAD's answer has only a
// header.
func words(answer *azcore.ResponseError) (code, message string) {
	var text struct {
		Code    string
		Message string
	}
	if body := answer.RawResponse.Body; body != nil {
		if raw, err := io.ReadAll(io.LimitReader(body, 64<<10)); err == nil {
			_ = xml.Unmarshal(raw, &text) // what is no XML has no words
			answer.RawResponse.Body = io.NopCloser(strings.NewReader(string(raw)))
		}
	}
	code = answer.ErrorCode
	if code == "" {
		code = text.Code
	}
	message, _, _ = strings.Cut(strings.TrimSpace(text.Message), "\n")
	return code, strings.TrimSpace(message)
}

var networkHints = outcome.Hints{
	Host:        "no such host: check the account's name and the endpoint",
	Certificate: "the server's certificate is not for this host",
}

// unanswered is what a failure before, or instead of, an answer means. The
// address that net/http would name may carry a signature: it is left out.
func unanswered(err error) *storage.Error {
	var sent *url.Error
	if errors.As(err, &sent) {
		err = sent.Err
	}
	var token *azidentity.AuthenticationFailedError
	if errors.As(err, &token) {
		return tokenFailed(err)
	}
	if e := outcome.OfNetwork(err, networkHints); e != nil {
		return e
	}
	if sent != nil || errors.Is(err, io.ErrUnexpectedEOF) {
		return &storage.Error{Code: storage.Unavailable, Retryable: true, Err: err}
	}
	return &storage.Error{Code: storage.Internal, Err: err}
}

// retryAfter is how long the service asks to wait: some answers have it in
// milliseconds.
func retryAfter(h http.Header) time.Duration {
	for _, name := range []string{"Retry-After-Ms", "X-Ms-Retry-After-Ms"} {
		if ms, err := strconv.Atoi(h.Get(name)); err == nil && ms > 0 {
			return time.Duration(ms) * time.Millisecond
		}
	}
	return outcome.RetryAfter(h)
}

// isCode reports whether the service's own code is one of codes.
func isCode(err error, codes ...string) bool {
	var r *refusal
	return errors.As(err, &r) && slices.Contains(codes, r.code)
}
