package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// shortestSecret is the length in bytes from which a value is masked: shorter ones are words.
const shortestSecret = 6

// secretsOf returns the secrets that a request carries: credentials, and the hashes of a customer's
// key. Amazon shows the text that was signed in hexadecimal, too.
func secretsOf(r *http.Request) [][]byte {
	found := findSecrets(r, isSecretHeader)
	for _, secret := range found {
		found = append(found, fmt.Appendf(nil, "% x", secret))
	}
	return found
}

// credentialsOf is secretsOf without hashes, which successful responses show for a reason.
func credentialsOf(r *http.Request) [][]byte {
	return findSecrets(r, func(name string) bool {
		return isSecretHeader(name) && !strings.HasSuffix(name, "-md5") && !strings.HasSuffix(name, "-sha256")
	})
}

// isSecretHeader reports whether a header, whose name is in lower case, is a secret. Google's token
// of an attempt opens nothing.
func isSecretHeader(name string) bool {
	marks := []string{"authorization", "cookie", "token", "customer-key", "encryption-key", "api-key"}
	return !strings.HasSuffix(name, "idempotency-token") &&
		slices.ContainsFunc(marks, func(mark string) bool { return strings.Contains(name, mark) })
}

// secretParameters are the parameters of addresses that grant access, in lower case. An
// upload_id is that of an upload at Google, which needs no other credentials.
var secretParameters = []string{
	"sig", "signature", "access_token", "upload_id",
	"x-amz-signature", "x-amz-security-token", "x-goog-signature",
}

func findSecrets(r *http.Request, isSecret func(name string) bool) [][]byte {
	var found [][]byte
	add := func(secret string) {
		if len(secret) < shortestSecret {
			return
		}
		if !slices.ContainsFunc(found, func(known []byte) bool { return string(known) == secret }) {
			found = append(found, []byte(secret))
		}
	}
	for name, values := range r.Header {
		for _, value := range values {
			if isSecret(strings.ToLower(name)) {
				addCredential(value, add)
			}
			if strings.Contains(value, "?") { // the address of a copy's source
				if source, err := url.Parse(value); err == nil {
					addParameters(source, add)
				}
			}
		}
	}
	addParameters(r.URL, add)
	slices.SortFunc(found, func(a, b []byte) int { return len(b) - len(a) })
	return found
}

// addCredential adds a header's value and the secrets in it. Of Amazon's version 4, only the
// signature is secret.
func addCredential(value string, add func(string)) {
	if strings.HasPrefix(value, "AWS4-") {
		_, signature, _ := strings.Cut(value, "Signature=")
		add(signature)
		return
	}
	add(value)
	for word := range strings.FieldsFuncSeq(value, func(c rune) bool { return c == ' ' || c == ',' || c == ';' }) {
		add(secretWord(word))
	}
}

// secretWord returns the secret in a word of a credential, or "".
func secretWord(word string) string {
	name, value, pair := strings.Cut(word, "=")
	switch {
	case pair && strings.EqualFold(name, "Signature"): // as of Google's version 4
		return value
	case strings.EqualFold(word, "bearer"), strings.HasPrefix(word, "SharedKey"):
		return ""
	case strings.Contains(word, ":"): // an account and its MAC
		return word[strings.LastIndex(word, ":")+1:]
	}
	return word
}

func addParameters(u *url.URL, add func(string)) {
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, _ = url.QueryUnescape(name) // "" if that fails, as the value
		if slices.Contains(secretParameters, strings.ToLower(name)) {
			value, _ = url.QueryUnescape(value)
			add(value)
		}
	}
}

// mask replaces the secrets in text, which keeps its length. end says that nothing follows text:
// the beginning of a secret at its end was cut.
func mask(text []byte, secrets [][]byte, end bool) (changed bool) {
	literal := 2 // characters of a secret that follow each other, unless one of them is escaped
	if bytes.IndexByte(text, 0) >= 0 {
		literal = 1 // UTF-16
	}
	escapes := slices.DeleteFunc(
		[]string{"%", `\`, "&#", "&"},
		func(mark string) bool { return !bytes.Contains(text, []byte(mark)) },
	)
	for _, secret := range secrets {
		changed = maskAround(text, secret, string(secret[:literal]), end) || changed
		unnamed := isLetterOrDigit(secret[0]) && isLetterOrDigit(secret[1]) // only "&#" begins such a character
		for _, mark := range escapes {
			if mark != "&" || !unnamed {
				changed = maskAround(text, secret, mark, end) || changed
			}
		}
	}
	return changed
}

// maskAround replaces a secret that begins with mark, or one character before it. A page of a listing has few marks,
// which a search finds faster than a look at each byte.
func maskAround(text, secret []byte, mark string, end bool) (changed bool) {
	for at := 0; ; at++ {
		next := bytes.Index(text[at:], []byte(mark))
		if next < 0 {
			return changed
		}
		at += next
		for from := max(0, at-1); from <= at; from++ {
			if n := matchSecret(text[from:], secret, end); n > 0 {
				copy(text[from:from+n], bytes.Repeat([]byte{'*'}, n))
				at, changed = from+n-1, true
				break
			}
		}
	}
}

func maskString(text string, secrets [][]byte) string {
	if masked := []byte(text); mask(masked, secrets, true) {
		return string(masked)
	}
	return text
}

func maskHeader(response *http.Response, secrets [][]byte) {
	if len(secrets) == 0 {
		return
	}
	response.Status = maskString(response.Status, secrets)
	for _, values := range response.Header {
		for i := range values {
			values[i] = maskString(values[i], secrets)
		}
	}
}

type maskedBody struct {
	inner   io.ReadCloser
	secrets [][]byte
	hold    int // bytes that may be the beginning of a secret
	buffer  []byte
	read    int // of buffer, by the caller
	safe    int // of buffer, without a secret
	err     error
}

const maskedBuffer = 4 << 10 // bytes, and twice the longest secret

// maskBody masks a body of length bytes, or an unknown number if length is negative.
func maskBody(body io.ReadCloser, length int64, secrets [][]byte) *maskedBody {
	size := int64(maskedBuffer)
	if length >= 0 {
		size = min(size, length+1)
	}
	longest := 0
	for _, secret := range secrets {
		longest = max(longest, shownLength(secret))
	}
	return &maskedBody{inner: body, secrets: secrets, hold: longest - 1, buffer: make([]byte, 0, int(size)+2*longest)}
}

func (b *maskedBody) Read(p []byte) (int, error) {
	for b.read == b.safe {
		if b.err != nil {
			return 0, b.err
		}
		b.buffer = b.buffer[:copy(b.buffer, b.buffer[b.read:])]
		filled := len(b.buffer)
		var n int
		n, b.err = b.inner.Read(b.buffer[filled:cap(b.buffer)])
		b.buffer = b.buffer[:filled+n]
		mask(b.buffer, b.secrets, b.err != nil)
		b.read, b.safe = 0, len(b.buffer)
		if b.err == nil {
			b.safe = max(0, len(b.buffer)-b.hold)
		}
	}
	n := copy(p, b.buffer[b.read:b.safe])
	b.read += n
	return n, nil
}

func (b *maskedBody) Close() error { return b.inner.Close() }

// maskError masks an error of the HTTP client that quotes a secret of the request, which a
// server has sent in place of a response.
func maskError(err error, r *http.Request) error {
	text := err.Error()
	if masked := maskString(text, secretsOf(r)); masked != text {
		return errors.New(masked)
	}
	return err
}
