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

// shortestSecret is the smallest length in bytes of a value that is masked. A shorter value may be
// an ordinary word.
const shortestSecret = 6

// secretsOf returns the secrets in a request, in each spelling that a server may quote: credentials,
// and hashes of a customer's encryption key.
func secretsOf(r *http.Request) [][]byte { return spellings(findSecrets(r, isSecretHeader)) }

// credentialsOf is like secretsOf, without the hashes of a customer's key. Successful responses
// repeat these hashes on purpose, so the hashes must not be masked.
func credentialsOf(r *http.Request) [][]byte {
	return spellings(findSecrets(r, func(name string) bool {
		return isSecretHeader(name) && !strings.HasSuffix(name, "-md5") && !strings.HasSuffix(name, "-sha256")
	}))
}

// spellings returns the secrets as they are, escaped as in a URL, and in the hexadecimal digits in
// which errors of Amazon show the signed text. The longest come first, because a secret may contain
// another one.
func spellings(secrets []string) [][]byte {
	var spelled [][]byte
	for _, secret := range secrets {
		escaped := url.QueryEscape(secret)
		spelled = append(spelled, []byte(secret), fmt.Appendf(nil, "% x", secret))
		if escaped != secret {
			spelled = append(spelled, []byte(escaped), []byte(lowerEscapes(escaped)))
		}
	}
	slices.SortFunc(spelled, func(a, b []byte) int { return len(b) - len(a) })
	return spelled
}

// lowerEscapes returns an escaped text with its hexadecimal digits in lower case.
func lowerEscapes(escaped string) string {
	text := []byte(escaped)
	for i := range text {
		if text[i] == '%' {
			copy(text[i:i+3], bytes.ToLower(text[i:i+3]))
		}
	}
	return string(text)
}

// isSecretHeader reports whether the header with this name in lower case has a secret value.
//
// Google's idempotency token is not secret, because it grants no access.
func isSecretHeader(name string) bool {
	marks := []string{"authorization", "cookie", "token", "customer-key", "encryption-key", "api-key"}
	return !strings.HasSuffix(name, "idempotency-token") &&
		slices.ContainsFunc(marks, func(mark string) bool { return strings.Contains(name, mark) })
}

// secretParameters lists the query parameters whose values grant access, in lower case. At Google,
// the upload_id of an upload is enough to continue the upload, without any other credentials.
var secretParameters = []string{
	"sig", "signature", "access_token", "upload_id",
	"x-amz-signature", "x-amz-security-token", "x-goog-signature",
}

// findSecrets returns the secrets in the headers and the URL of a request. isSecret reports whether
// a header, named in lower case, is secret.
func findSecrets(r *http.Request, isSecret func(name string) bool) []string {
	var secrets secretList
	for name, values := range r.Header {
		for _, value := range values {
			if isSecret(strings.ToLower(name)) {
				secrets.addCredential(value)
			}

			// A header such as X-Ms-Copy-Source has a URL, whose query may have a signature.
			if !strings.Contains(value, "?") {
				continue
			}
			if source, err := url.Parse(value); err == nil {
				secrets.addParameters(source)
			}
		}
	}
	secrets.addParameters(r.URL)
	return secrets
}

// A secretList is a list of different secrets.
type secretList []string

// add adds a secret, unless it is in the list or so short that it may be an ordinary word.
func (l *secretList) add(secret string) {
	if len(secret) >= shortestSecret && !slices.Contains(*l, secret) {
		*l = append(*l, secret)
	}
}

// addCredential adds the secrets in the value of a header: the whole value, and the secrets in its words.
func (l *secretList) addCredential(value string) {
	if strings.HasPrefix(value, "AWS4-") {
		// Only the signature of this scheme is secret.
		_, signature, _ := strings.Cut(value, "Signature=")
		l.add(signature)
		return
	}

	l.add(value)
	isSeparator := func(c rune) bool { return c == ' ' || c == ',' || c == ';' }
	for word := range strings.FieldsFuncSeq(value, isSeparator) {
		l.add(secretWord(word))
	}
}

// secretWord returns the secret in one word of a header's value, or "". The value may be
// "Bearer TOKEN", "SharedKey ACCOUNT:SIGNATURE", or a list of pairs such as "Signature=DIGITS".
func secretWord(word string) string {
	name, value, isPair := strings.Cut(word, "=")
	if isPair && strings.EqualFold(name, "Signature") {
		return value
	}
	isScheme := strings.EqualFold(word, "bearer") || strings.HasPrefix(word, "SharedKey")
	if isScheme {
		return ""
	}

	// An account comes before the last colon. Without a colon, all of the word may be secret.
	return word[strings.LastIndex(word, ":")+1:]
}

// addParameters adds the secret parameters in the query of a URL, as they are and unescaped.
func (l *secretList) addParameters(u *url.URL) {
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		// A malformed name or value becomes "".
		escapedName, escapedValue, _ := strings.Cut(pair, "=")
		name, _ := url.QueryUnescape(escapedName)
		if slices.Contains(secretParameters, strings.ToLower(name)) {
			value, _ := url.QueryUnescape(escapedValue)
			l.add(escapedValue)
			l.add(value)
		}
	}
}

// mask replaces each secret in text with asterisks, which keep its length, and reports whether
// there was any.
func mask(text []byte, secrets [][]byte) (changed bool) {
	for _, secret := range secrets {
		rest := text
		for {
			index := bytes.Index(rest, secret)
			if index < 0 {
				break
			}
			copy(rest[index:], bytes.Repeat([]byte{'*'}, len(secret)))
			rest = rest[index+len(secret):]
			changed = true
		}
	}
	return changed
}

// maskString returns text with its secrets masked.
func maskString(text string, secrets [][]byte) string {
	if masked := []byte(text); mask(masked, secrets) {
		return string(masked)
	}
	return text
}

// maskHeader masks the secrets in the status and the headers of a response.
func maskHeader(resp *http.Response, secrets [][]byte) {
	if len(secrets) == 0 {
		return
	}
	resp.Status = maskString(resp.Status, secrets)
	for _, values := range resp.Header {
		for i := range values {
			values[i] = maskString(values[i], secrets)
		}
	}
}

// A maskedBody masks the secrets in a body while it is read.
type maskedBody struct {
	inner   io.ReadCloser
	secrets [][]byte
	hold    int // number of bytes to hold back, because they may be the beginning of a secret
	buffer  []byte
	read    int   // number of bytes of buffer that the caller has read; at most safe
	safe    int   // number of bytes of buffer that certainly contain no secret
	err     error // error of inner, which is returned once the caller has read the buffer
}

// maskedBuffer is the largest number of bytes that one Read of a maskedBody should read. The buffer
// also has room for the bytes that are held back.
const maskedBuffer = 4 << 10

// maskBody returns a reader of body that masks the secrets. length is the number of bytes in body,
// or negative if unknown.
func maskBody(body io.ReadCloser, length int64, secrets [][]byte) *maskedBody {
	size := int64(maskedBuffer)
	if length >= 0 {
		// One byte of room lets the Read after the last byte return io.EOF.
		size = min(size, length+1)
	}

	longest := 0
	for _, secret := range secrets {
		longest = max(longest, len(secret))
	}
	return &maskedBody{
		inner:   body,
		secrets: secrets,
		// If a secret has not arrived completely, at least one byte of it is missing.
		hold: longest - 1,
		// Besides the bytes of a Read, the buffer has room for those that are held back.
		buffer: make([]byte, 0, int(size)+2*longest),
	}
}

// Read returns masked bytes. It holds back the last bytes that it has read, unless the body has
// ended, because a secret may begin in them.
func (b *maskedBody) Read(p []byte) (int, error) {
	for b.read == b.safe {
		if b.err != nil {
			return 0, b.err
		}
		b.fill()
	}
	n := copy(p, b.buffer[b.read:b.safe])
	b.read += n
	return n, nil
}

// fill moves the bytes that were held back to the start of the buffer, reads more of the body after
// them, and masks the secrets. The caller must have read all safe bytes.
func (b *maskedBody) fill() {
	heldBack := copy(b.buffer, b.buffer[b.read:])
	b.read = 0
	n, err := b.inner.Read(b.buffer[heldBack:cap(b.buffer)])
	b.err = err
	b.buffer = b.buffer[:heldBack+n]
	mask(b.buffer, b.secrets)

	if err != nil {
		// The body has ended, so no secret is incomplete.
		b.safe = len(b.buffer)
		return
	}
	// The last bytes may be the beginning of a secret.
	b.safe = max(0, len(b.buffer)-b.hold)
}

func (b *maskedBody) Close() error { return b.inner.Close() }

// maskError masks the secrets in an error of the HTTP client, which may quote text that a server
// sent in place of a valid response.
func maskError(err error, r *http.Request) error {
	text := err.Error()
	if masked := maskString(text, secretsOf(r)); masked != text {
		return errors.New(masked)
	}
	return err
}
