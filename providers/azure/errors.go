package azure

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/transport"
)

func invalid(argument, rule, hint string) *storage.Error {
	return &storage.Error{Code: storage.InvalidArgument, Err: errors.New(argument + " " + rule), Hint: hint}
}

// reads is what a request that changes nothing failed with.
func reads(err error) error {
	if err == nil {
		return nil
	}
	return translate(err)
}

// writes makes a request that changes something; of one whose answer did not
// come, or tells nothing, the error says so.
func writes(ctx context.Context, do func(context.Context) error) error {
	ctx, counter := transport.CountRequests(ctx)
	err := do(ctx)
	if err == nil {
		return nil
	}
	e := translate(err)
	e.Unknown = lost(err, counter)
	return e
}

// lost reports whether a request that failed may have had its effect.
func lost(err error, counter *transport.Counter) bool {
	if counter.Unanswered() > 0 || transport.Sent(err) {
		return true
	}
	if answer := answerOf(err); answer != nil {
		switch status := answer.StatusCode; status {
		case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
			return true // nothing is promised about what came before them; 503 is a refusal
		default:
			return status >= 200 && status < 300 // it was done, and the answer broke off
		}
	}
	if counter.Requests() > 0 {
		return false // our transport has counted: it did not leave whole
	}
	// Another HTTP client tells less: whatever failed behind the dial may have
	// arrived. Of an interrupted request the SDK keeps nothing but that.
	var dial *net.OpError
	var sent *url.Error
	interrupted := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	return (errors.As(err, &sent) || interrupted) && !(errors.As(err, &dial) && dial.Op == "dial")
}

// translate makes an *storage.Error of whatever the SDK answered.
func translate(err error) *storage.Error {
	var own *storage.Error
	if errors.As(err, &own) { // of the credentials, or of the body
		e := *own
		return &e
	}
	var bare storage.Code
	if errors.As(err, &bare) {
		return &storage.Error{Code: bare, Err: err}
	}
	answer := answerOf(err)
	if answer == nil {
		return unanswered(err)
	}
	header := answer.RawResponse.Header
	e := &storage.Error{
		Status:     answer.StatusCode,
		RequestID:  header.Get("X-Ms-Request-Id"),
		RetryAfter: retryAfter(header),
	}
	code, message := words(answer)
	e.Err = &refusal{code: code, message: message, status: answer.StatusCode, answer: err}
	v := verdictOf(code, answer.StatusCode)
	e.Code, e.Hint = v.code, v.hint
	e.Retryable = v.again || v.code == storage.RateLimited || v.code == storage.Unavailable
	return e
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

// unanswered is what a failure before, or instead of, an answer means. The
// address that net/http would name may carry a signature: it is left out.
func unanswered(err error) *storage.Error {
	var sent *url.Error
	if errors.As(err, &sent) {
		err = sent.Err
	}
	e := &storage.Error{Err: err}
	var dns *net.DNSError
	var network net.Error
	var token *azidentity.AuthenticationFailedError
	switch {
	case errors.As(err, &token):
		e.Code, e.Hint = storage.Unauthenticated, credentialsHint
	case errors.As(err, &dns) && dns.IsNotFound:
		e.Code, e.Retryable, e.Hint = storage.Unavailable, true, "no such host: check the account's name and the endpoint"
	case errors.Is(err, context.Canceled) && !errors.As(err, &network):
		e.Code = storage.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		e.Code = storage.DeadlineExceeded
	case sent != nil, errors.As(err, &network), errors.Is(err, io.ErrUnexpectedEOF):
		e.Code, e.Retryable = storage.Unavailable, true
	default:
		e.Code = storage.Internal
	}
	return e
}

// retryAfter is how long the service asks to wait, in milliseconds, seconds, or
// by date.
func retryAfter(h http.Header) time.Duration {
	for _, name := range []string{"Retry-After-Ms", "X-Ms-Retry-After-Ms"} {
		if ms, err := strconv.Atoi(h.Get(name)); err == nil && ms > 0 {
			return time.Duration(ms) * time.Millisecond
		}
	}
	value := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		if sent, err := http.ParseTime(h.Get("Date")); err == nil && at.After(sent) {
			return at.Sub(sent) // by the server's clock alone
		}
	}
	return 0
}

// asError is the *storage.Error that reads and writes answer with.
func asError(err error) *storage.Error {
	if e, ok := err.(*storage.Error); ok {
		return e
	}
	return translate(err)
}

// isCode reports whether the service's own code is one of codes.
func isCode(err error, codes ...string) bool {
	var r *refusal
	if !errors.As(err, &r) {
		return false
	}
	for _, code := range codes {
		if r.code == code {
			return true
		}
	}
	return false
}
