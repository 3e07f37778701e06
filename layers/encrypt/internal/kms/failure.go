package kms

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// A Response is an unsuccessful response of a service.
type Response struct {
	Code      string // code of the service; empty if another program responded
	Message   string
	Status    int
	Header    http.Header
	RequestID string
}

// Hints that all services share.
const (
	MissingHint     = "check the name of the key, and that it was not deleted"
	DisabledHint    = "enable the key, or cancel its deletion: objects cannot be decrypted without it"
	WrongObjectHint = "the header was changed, or is that of another object or bucket: copy objects with the library, or set Config.Bucket"
	loginHint       = "check the credentials for the key management service, and the clock of this machine"
)

// Failed returns the error for a response of the service. Its text has none of the secrets, even if the
// response quotes them. The SDK's own error is not used, because it may contain the request.
func Failed(service string, r Response, meanings Meanings, secrets ...[]byte) *storage.Error {
	status := driver.StatusError(&http.Response{StatusCode: r.Status, Header: r.Header})
	m, ok := meanings[r.Code]
	if !ok {
		m = meaningOfStatus(service, r, status.Code)
	}
	if m.Code == storage.Unauthenticated && m.Hint == "" {
		m.Hint = loginHint
	}
	return &storage.Error{
		Code:       m.Code,
		Hint:       m.Hint,
		Retryable:  isRetryable(m.Code),
		Status:     r.Status,
		RetryAfter: status.RetryAfter,
		RequestID:  r.RequestID,
		Err:        errors.New(errorText(service, r, secrets)),
	}
}

// meaningOfStatus returns the meaning of a response with an unknown error code. code is the Code of its
// HTTP status.
func meaningOfStatus(service string, r Response, code storage.Code) Meaning {
	if code == storage.PermissionDenied || code == storage.Unauthenticated || isRetryable(code) {
		return Meaning{Code: code}
	}
	if r.Code == "" {
		return Meaning{storage.Unavailable, "a gateway has responded in place of " + service + ": check the endpoint"}
	}
	if r.Status == http.StatusNotFound {
		return Meaning{storage.InvalidArgument, MissingHint}
	}
	if code == storage.InvalidArgument {
		return Meaning{Code: code}
	}
	// Any other Code would say something about an object, but the request was about a key.
	return Meaning{Code: storage.Internal}
}

// A gateway may quote the request with its signature, which must not be in an error.
var signed = regexp.MustCompile(`(?i)\b((?:x-amz-)?(?:signature|credential|security-token)|sig)=[^\s&"'<>;,]+`)

// errorText describes an error response of a key service in one line, without the given secrets and
// without signatures, which the service's message may quote.
func errorText(service string, r Response, secrets [][]byte) string {
	message, _, _ := strings.Cut(strings.TrimSpace(r.Message), "\n")
	message = withoutSecrets(message, secrets)
	message = signed.ReplaceAllString(message, "${1}=REDACTED")

	const maxBytes = 300
	if len(message) > maxBytes {
		message = message[:maxBytes]
	}

	// The cut may have divided a character.
	message = strings.ToValidUTF8(message, "")

	// The response says nothing, so the text is that of its HTTP status.
	if r.Code == "" && message == "" {
		return service + ": " + http.StatusText(r.Status)
	}

	line := service
	if r.Code != "" {
		line += ": " + r.Code
	}
	if message != "" {
		line += ": " + message
	}
	return line
}

// withoutSecrets returns a message in which each of the secrets is replaced, as it is or in base64.
func withoutSecrets(message string, secrets [][]byte) string {
	for _, secret := range secrets {
		if len(secret) == 0 {
			continue
		}
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			// The last base64 character of a secret also depends on the bytes that follow the
			// secret. It is therefore left out of the search.
			encoded := encoding.EncodeToString(secret)
			message = strings.ReplaceAll(message, encoded[:len(encoded)-1], "***")
		}
		message = strings.ReplaceAll(message, string(secret), "***")
	}
	return message
}

// NoResponse returns the error for a request without a response. A [storage.Error], which comes from
// the caller's credentials, is returned unchanged.
func NoResponse(service string, err error) error {
	if storageErr, ok := errors.AsType[*storage.Error](err); ok {
		return storageErr
	}

	failure := driver.NetworkError(err)
	if dnsErr, ok := errors.AsType[*net.DNSError](err); ok && dnsErr.IsNotFound {
		failure.Hint = "no such host: check the name of the key"
	}
	// The SDK reports a truncated response by an error of its own.
	isUnexplained := failure.Code == storage.Internal && failure.Hint == ""
	if isUnexplained {
		failure.Code = storage.Unavailable
		failure.Retryable = true
	}
	failure.Err = fmt.Errorf("%s: %w", service, failure.Err)
	return failure
}

// NoCredentials returns the error for credentials that are not available. The error is retryable if
// they may be available later (isTemporary).
func NoCredentials(err error, isTemporary bool, hint string) error {
	if isTemporary {
		return &storage.Error{
			Code:      storage.Unavailable,
			Retryable: true,
			Err:       err,
			Hint:      "check the service that provides the credentials: it did not respond",
		}
	}
	return &storage.Error{Code: storage.Unauthenticated, Err: err, Hint: hint}
}

// Damaged returns the error of a successful response whose content does not fit the request.
func Damaged(service, what string) error {
	return &storage.Error{Code: storage.Unavailable, Retryable: true, Err: errors.New(service + ": " + what)}
}

// WrongObject returns the error for a data key that the service does not decrypt, because it is that of
// another object.
func WrongObject(service string) error {
	return &storage.Error{
		Code: storage.ChecksumMismatch,
		Err:  errors.New(service + " does not decrypt the data key for this object"),
		Hint: WrongObjectHint,
	}
}
