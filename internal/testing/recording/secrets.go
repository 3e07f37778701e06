package recording

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
)

// minSecret is the least length of a known secret, in bytes. A shorter text occurs by chance.
const minSecret = 6

// secrets are texts that no recording may have, in all their forms, in lower case, by the first bytes
// of a form. A run may know thousands.
type secrets map[[minSecret]byte][]string

// add adds the forms of a secret: in lower case, in hexadecimal digits, and in Base64.
func (s secrets) add(text string) {
	forms := []string{strings.ToLower(text), hex.EncodeToString([]byte(text))}
	for shift := range 3 {
		forms = append(forms, inBase64(text, shift))
	}

	// A form is found by its first bytes.
	for _, form := range forms {
		if len(form) >= minSecret {
			start := [minSecret]byte([]byte(form))
			s[start] = append(s[start], form)
		}
	}
}

// areIn reports whether a text in lower case contains one of the secrets.
func (s secrets) areIn(text string) bool {
	if len(s) == 0 {
		return false
	}

	// At each position, compare only the forms that begin with the same bytes.
	for i := 0; i+minSecret <= len(text); i++ {
		start := [minSecret]byte([]byte(text[i : i+minSecret]))
		for _, form := range s[start] {
			if strings.HasPrefix(text[i:], form) {
				return true
			}
		}
	}
	return false
}

// inBase64 returns the letters that are in the Base64 encoding of any longer text that contains text. Base64
// encodes each group of three bytes by four letters, so the letters also depend on where text begins in a
// group. shift is the number of bytes before it in that group: 0, 1 or 2.
func inBase64(text string, shift int) string {
	const groupBytes = 3
	const groupLetters = 4
	padded := strings.Repeat("x", shift) + text + "xx"
	encoded := base64.StdEncoding.EncodeToString([]byte(padded))

	// Leave out the first letters that also depend on the bytes before text, and an incomplete last group,
	// which also depends on the bytes after text.
	dependentLetters := [groupBytes]int{0, 2, 3}
	start := dependentLetters[shift]
	wholeGroups := (shift + len(text)) / groupBytes
	end := wholeGroups * groupLetters
	if end < start {
		return ""
	}
	// Secrets are searched in texts in lower case.
	return strings.ToLower(encoded[start:end])
}

// addSecrets adds secrets to those that are known, without the ones that are too short.
func (s *scrubber) addSecrets(values ...string) {
	for _, value := range values {
		value = strings.TrimSpace(value)
		if len(value) < minSecret || s.isKnown[value] {
			continue
		}
		s.isKnown[value] = true
		s.secrets.add(value)
	}
}

// addSetting adds the value of a setting as a whole, and the secrets in it. The value may be a URL with
// a password, a query, or a connection string of Azure, such as "AccountName=a;AccountKey=b".
func (s *scrubber) addSetting(value string) {
	s.addSecrets(value)
	for field := range strings.SplitSeq(value, ";") {
		name, text, _ := strings.Cut(field, "=")
		switch strings.ToLower(name) {
		case "accountname", "accountkey":
			s.addSecrets(text)
		case "sharedaccesssignature":
			s.addQuery(text)
		}
	}
	s.addQuery(value)
	s.addURL(value)
}

// addURL adds the user, the password and the secret parameters of a URL. It finds the parameters
// even if the rest of the text is no URL.
func (s *scrubber) addURL(text string) {
	if address, err := url.Parse(text); err == nil {
		password, _ := address.User.Password()
		s.addSecrets(address.User.Username(), password)
	}
	_, query, _ := strings.Cut(text, "?")
	s.addQuery(query)
}

// secretParameters are the query parameters whose values are secrets, in lower case.
var secretParameters = wordSet(`sig skoid sktid x-amz-credential x-amz-signature x-amz-security-token
	x-goog-credential x-goog-signature googleaccessid signature awsaccesskeyid access_token upload_id`)

// addQuery adds the values of the secret parameters of a query.
func (s *scrubber) addQuery(text string) {
	for pair := range strings.SplitSeq(strings.TrimPrefix(text, "?"), "&") {
		escapedName, value, _ := strings.Cut(pair, "=")
		name, _ := url.QueryUnescape(escapedName) // a malformed name or value becomes ""
		if !secretParameters[strings.ToLower(name)] {
			continue
		}
		plain, _ := url.QueryUnescape(value)
		id, _, _ := strings.Cut(plain, "/") // a credential has a date and a region after its id
		s.addSecrets(value, plain, id)
	}
}

// harmlessVariables are the ends of the names of environment variables that have no secrets.
var harmlessVariables = strings.Fields("REGION MODE PROFILE OUTPUT PAGER FORMAT")

// addEnvironment adds the values of the environment variables of the clouds.
func (s *scrubber) addEnvironment(environ []string) {
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		if isCloudVariable(name) {
			s.addSetting(value)
		}
		if name == "GOOGLE_APPLICATION_CREDENTIALS" {
			s.addCredentialsFile(value)
		}
	}
}

// isCloudVariable reports whether an environment variable belongs to a cloud and may have a secret.
func isCloudVariable(name string) bool {
	for _, end := range harmlessVariables {
		if strings.HasSuffix(name, end) {
			return false
		}
	}
	for _, prefix := range []string{"AWS_", "AZURE_", "GOOGLE_", "GCLOUD_", "CLOUDSDK_", "MINIO_", "R2_", "B2_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// addCredentialsFile adds the secrets in a file with credentials of Google.
func (s *scrubber) addCredentialsFile(path string) {
	data, err := os.ReadFile(path)
	if err != nil {
		// Nobody can use such credentials.
		return
	}
	var file map[string]any
	if json.Unmarshal(data, &file) != nil {
		// Google did not make this file.
		return
	}

	for _, name := range []string{
		"private_key", "private_key_id", "client_email", "client_id", "client_secret", "refresh_token", "project_id",
		"quota_project_id",
	} {
		text, _ := file[name].(string)
		// A private key has several lines. The first and the last are the same for all keys.
		for line := range strings.Lines(text) {
			if !strings.HasPrefix(line, "-----") {
				s.addSecrets(line)
			}
		}
	}
}

// credential and signature match parts of an authorization of AWS or of Google's XML API.
var (
	credential = regexp.MustCompile(`(?i)\bCredential=([^/,\s]+)`)
	signature  = regexp.MustCompile(`(?i)\bSignature=([^,\s]+)`)
)

// learn adds the secrets in an exchange to those that are known, and returns the ones that only
// this exchange has.
func (s *scrubber) learn(x *Exchange) secrets {
	own := secrets{}
	s.addURL(x.Request.URL)
	for name, values := range x.Request.Header {
		for _, value := range values {
			// A header may have the URL of the source of a copy.
			s.addURL(value)
			s.learnHeader(strings.ToLower(name), value, own)
		}
	}
	for _, values := range x.Response.Header {
		for _, value := range values {
			// A header may have the URL of an upload, whose id is a credential.
			s.addURL(value)
		}
	}
	return own
}

// secretHeaders are the ends of the names of headers whose values are secrets.
var secretHeaders = []string{"-key", "-token", "-key-sha256", "-key-md5", "-user-project"}

// learnHeader adds the secrets in a header of a request to s, or to own if they are secrets of this request
// only. The name of the header is in lower case.
func (s *scrubber) learnHeader(name, value string, own secrets) {
	if strings.HasSuffix(name, "authorization") {
		s.learnAuthorization(value, own)
		return
	}
	if name == "cookie" {
		for cookie := range strings.SplitSeq(value, ";") {
			_, text, _ := strings.Cut(cookie, "=")
			s.addSecrets(text)
		}
		return
	}
	for _, end := range secretHeaders {
		if strings.HasSuffix(name, end) {
			s.addSecrets(value)
		}
	}
}

// learnAuthorization adds the secrets of an Authorization header to those of the recording, such as a
// token. A signature occurs only in this request, and is added to own.
func (s *scrubber) learnAuthorization(value string, own secrets) {
	for _, match := range credential.FindAllStringSubmatch(value, -1) {
		s.addSecrets(match[1])
	}
	signatures := signature.FindAllStringSubmatch(value, -1)
	for _, match := range signatures {
		own.add(match[1])
	}
	if len(signatures) > 0 {
		return
	}

	// The header is a scheme and a token, or a token whose scheme is in a header of its own.
	token := value
	if _, rest, ok := strings.Cut(value, " "); ok {
		token = rest
	}
	s.learnToken(token, own)
}

// learnToken adds the secrets of the token in an Authorization header without a signature of its own.
func (s *scrubber) learnToken(token string, own secrets) {
	// The token of a shared key is the name of the account and a signature.
	account, sum, isShared := strings.Cut(token, ":")
	if isShared && len(sum) >= minSecret {
		s.addSecrets(account)
		own.add(sum)
		return
	}
	// A header without a space may also be only a scheme, which is no secret.
	isScheme := strings.HasPrefix(token, "AWS4-") || strings.HasPrefix(token, "SharedKey") ||
		strings.EqualFold(token, "Bearer")
	if !isScheme {
		s.addSecrets(token)
	}
}

// remains reports whether x still has a known secret, one of own, or the name of a bucket.
func (s *scrubber) remains(x *Exchange, own secrets) bool {
	for _, text := range textsOf(x) {
		if ownBucket.MatchString(text) {
			return true
		}
		for _, reading := range decodedForms(text) {
			if s.secrets.areIn(reading) || own.areIn(reading) {
				return true
			}
		}
	}
	return false
}

// textsOf returns all texts of an exchange.
func textsOf(x *Exchange) []string {
	texts := []string{x.Request.URL, x.Request.MediaType, string(x.Response.Body)}
	for _, part := range x.Request.BodyParts {
		texts = append(texts, string(part))
	}
	for _, header := range []http.Header{x.Request.Header, x.Response.Header} {
		for name, values := range header {
			texts = append(texts, name)
			texts = append(texts, values...)
		}
	}
	return texts
}

// escaped matches an escape of a URL, in either case of its digits.
var escaped = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// These replacers undo the alphabet of Base64 in URLs, and the escapes of JSON.
var (
	standardBase64 = strings.NewReplacer("-", "+", "_", "/")
	withoutJSON    = strings.NewReplacer(
		`\u0026`, "&", `\u003c`, "<", `\u003e`, ">", `\u003d`, "=", `\u002b`, "+", `\u002f`, "/", `\/`, "/",
	)
)

// unescapeByte returns the byte of an escape such as "%2F".
func unescapeByte(escape string) string {
	digits := escape[1:]
	b, err := hex.DecodeString(digits)
	if err != nil {
		return escape
	}
	return string(b)
}

// decodedForms returns the texts in which a secret must be searched, in lower case. These are text as it is,
// text without the escapes of HTML, JSON or URLs, and text with standard Base64 in place of Base64 for URLs.
func decodedForms(text string) []string {
	if len(text) < minSecret {
		// It is too short for a secret.
		return nil
	}

	forms := []string{text}
	add := func(form string) {
		if !slices.Contains(forms, form) {
			forms = append(forms, form)
		}
	}
	add(standardBase64.Replace(text))
	add(html.UnescapeString(text))
	add(withoutJSON.Replace(text))

	// A part of a URL may be escaped several times, such as the source of a copy.
	const maxEscapes = 3
	for range maxEscapes {
		text = escaped.ReplaceAllStringFunc(text, unescapeByte)
		add(text)
		add(strings.ReplaceAll(text, "+", " "))
	}

	for i := range forms {
		forms[i] = strings.ToLower(forms[i])
	}
	return forms
}
