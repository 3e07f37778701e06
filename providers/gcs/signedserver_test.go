package gcs_test

import (
	"bytes"
	"crypto"
	"crypto/md5"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/signingkey"
)

// A signedServer checks signatures as Google documents it, in front of a ruleServer. It makes the
// canonical request from what arrived and shares no code with the driver. Requests with the token
// pass. Requests with neither token nor signature are refused.
type signedServer struct {
	*httptest.Server
	rules *ruleServer
	email string
	key   *rsa.PublicKey
}

// signedServerToken is the token that a signedServer accepts.
const signedServerToken = "token"

// startSignedServer starts a signedServer for the key of package signingkey.
func startSignedServer(t *testing.T) *signedServer {
	t.Helper()
	var file struct {
		ClientEmail string `json:"client_email"`
		PrivateKey  string `json:"private_key"`
	}
	require.NoError(t, json.Unmarshal(signingkey.File(), &file))
	block, _ := pem.Decode([]byte(file.PrivateKey))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	s := &signedServer{
		rules: startRuleServer(t),
		email: file.ClientEmail,
		key:   &key.(*rsa.PrivateKey).PublicKey,
	}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

var (
	noSignature = &refusal{
		status:  http.StatusUnauthorized,
		reason:  "required",
		message: "Anonymous caller does not have storage access.",
		xmlCode: "AuthenticationRequired",
	}
	badSignature = &refusal{
		status:  http.StatusForbidden,
		reason:  "forbidden",
		message: "Access denied.",
		xmlCode: "SignatureDoesNotMatch",
	}
	expired = &refusal{
		status:  http.StatusBadRequest,
		reason:  "invalid",
		message: "Invalid argument.",
		xmlCode: "ExpiredToken",
	}
)

// ServeHTTP passes on requests with the token, and handles signed URLs and forms.
func (s *signedServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") == "Bearer "+signedServerToken {
		s.rules.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	key, _ = url.PathUnescape(key) // net/http has refused an invalid path

	if r.Method == http.MethodPost && key == "" {
		writeJSON(w, struct{}{}, s.form(r, bucket, body))
		return
	}
	if !r.URL.Query().Has("X-Goog-Signature") {
		writeJSON(w, nil, noSignature)
		return
	}
	if problem := s.check(r); problem != nil {
		writeJSON(w, struct{}{}, problem)
		return
	}
	s.serveSigned(w, r, bucket, key, body)
}

// serveSigned handles a request whose signature is valid.
func (s *signedServer) serveSigned(w http.ResponseWriter, r *http.Request, bucket, key string, body []byte) {
	switch r.Method {
	case http.MethodPut:
		problem := s.put(r, bucket, key, body)
		if problem == nil {
			sum := md5.Sum(body)
			w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:])+`"`)
		}
		writeJSON(w, struct{}{}, problem)
	case http.MethodGet, http.MethodHead:
		s.rules.ServeHTTP(&overridingWriter{w, r.URL.Query()}, r)
	case http.MethodDelete:
		// The rule server removes objects only through the JSON API.
		removal := r.Clone(r.Context())
		removal.URL = &url.URL{
			Path:     "/storage/v1/b/" + bucket + "/o/" + key,
			RawPath:  "/storage/v1/b/" + bucket + "/o/" + url.PathEscape(key),
			RawQuery: url.Values{"generation": r.URL.Query()["generation"]}.Encode(),
		}
		s.rules.ServeHTTP(w, removal)
	default:
		writeJSON(w, struct{}{}, badSignature)
	}
}

// check verifies the signature of a URL. https://cloud.google.com/storage/docs/authentication/signatures
func (s *signedServer) check(r *http.Request) *refusal {
	query := r.URL.Query()
	signedHeaders := strings.Split(query.Get("X-Goog-SignedHeaders"), ";")
	if !slices.Contains(signedHeaders, "host") {
		return badSignature
	}
	for name := range r.Header {
		name = strings.ToLower(name)
		if strings.HasPrefix(name, "x-goog-") && !slices.Contains(signedHeaders, name) {
			return badSignature
		}
	}

	date := query.Get("X-Goog-Date")
	scope, problem := s.scope(query.Get("X-Goog-Algorithm"), query.Get("X-Goog-Credential"), date)
	if problem != nil {
		return problem
	}
	canonical := sha256.Sum256([]byte(canonicalRequest(r, signedHeaders)))
	lines := []string{"GOOG4-RSA-SHA256", date, scope, hex.EncodeToString(canonical[:])}
	if !s.verify(strings.Join(lines, "\n"), query.Get("X-Goog-Signature")) {
		return badSignature
	}
	return checkExpiry(date, query.Get("X-Goog-Expires"))
}

// canonicalRequest returns the text that is signed for a request.
func canonicalRequest(r *http.Request, signedHeaders []string) string {
	var headers strings.Builder
	for _, name := range signedHeaders {
		// A run of spaces counts as one space.
		value := strings.Join(strings.Fields(strings.Join(r.Header.Values(name), ",")), " ")
		if name == "host" {
			value = hostWithoutPort(r.Host)
		}
		headers.WriteString(name + ":" + value + "\n")
	}

	var parameters []string
	for _, parameter := range strings.Split(r.URL.RawQuery, "&") {
		if !strings.HasPrefix(parameter, "X-Goog-Signature=") {
			parameters = append(parameters, parameter)
		}
	}
	slices.Sort(parameters)

	path, _, _ := strings.Cut(r.RequestURI, "?")
	return strings.Join([]string{
		r.Method,
		path,
		strings.Join(parameters, "&"),
		headers.String(),
		strings.Join(signedHeaders, ";"),
		"UNSIGNED-PAYLOAD",
	}, "\n")
}

// hostWithoutPort returns the host of an address, which may have a port.
func hostWithoutPort(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}

// checkExpiry checks that a signature is valid for at most seven days, and has not expired.
func checkExpiry(date, expires string) *refusal {
	const maxSeconds = 7 * 24 * 60 * 60
	start, err := time.Parse("20060102T150405Z", date)
	if err != nil {
		return expired
	}
	seconds, err := strconv.Atoi(expires)
	if err != nil || seconds < 1 || seconds > maxSeconds {
		return expired
	}
	if time.Now().After(start.Add(time.Duration(seconds) * time.Second)) {
		return expired
	}
	return nil
}

// scope returns the part of a credential after the account. The account must be the test's, and the
// day must be the day of date.
func (s *signedServer) scope(algorithm, credential, date string) (string, *refusal) {
	const dateLength = len("20060102T150405Z")
	scope, isOurs := strings.CutPrefix(credential, s.email+"/")
	if algorithm != "GOOG4-RSA-SHA256" || !isOurs || len(date) != dateLength {
		return "", badSignature
	}
	day := date[:len("20060102")]
	if scope != day+"/auto/storage/goog4_request" {
		return "", badSignature
	}
	return scope, nil
}

// verify reports whether signature is the key's signature of text, in hexadecimal.
func (s *signedServer) verify(text, signature string) bool {
	raw, err := hex.DecodeString(signature)
	if err != nil {
		return false
	}
	sum := sha256.Sum256([]byte(text))
	return rsa.VerifyPKCS1v15(s.key, crypto.SHA256, sum[:], raw) == nil
}

// put stores a signed upload.
func (s *signedServer) put(r *http.Request, bucket, key string, body []byte) *refusal {
	h := r.Header
	if sizes := h.Get("X-Goog-Content-Length-Range"); sizes != "" {
		least, maximum, _ := strings.Cut(sizes, ",")
		if !isWithin(int64(len(body)), least, maximum) {
			return invalidArgument("The size of the object is not in the range.")
		}
	}
	o := &ruleObject{
		Name:               key,
		ContentType:        h.Get("Content-Type"),
		ContentEncoding:    h.Get("Content-Encoding"),
		ContentDisposition: h.Get("Content-Disposition"),
		ContentLanguage:    h.Get("Content-Language"),
		CacheControl:       h.Get("Cache-Control"),
		StorageClass:       h.Get("X-Goog-Storage-Class"),
		CRC32C:             strings.TrimPrefix(h.Get("X-Goog-Hash"), "crc32c="),
		Metadata:           map[string]string{},
	}
	for name := range h {
		if field, ok := strings.CutPrefix(strings.ToLower(name), "x-goog-meta-"); ok {
			o.Metadata[field] = h.Get(name)
		}
	}
	query := url.Values{}
	o.readControls(h, query)
	if generation := h.Get("X-Goog-If-Generation-Match"); generation != "" {
		query.Set("ifGenerationMatch", generation)
	}
	if acl := h.Get("X-Goog-Acl"); acl != "" {
		query.Set("predefinedAcl", acl)
	}
	return s.store(bucket, o, query, body)
}

// store adds an object to a bucket of the rule server.
func (s *signedServer) store(bucket string, o *ruleObject, query url.Values, body []byte) *refusal {
	s.rules.mu.Lock()
	defer s.rules.mu.Unlock()
	b := s.rules.buckets[bucket]
	if b == nil {
		return missingBucket
	}
	return s.rules.insert(b, o, query, body, false)
}

// isWithin reports whether size is from least to limit. Both limits are decimal numbers.
func isWithin(size int64, least, limit string) bool {
	lower, err := strconv.ParseInt(least, 10, 64)
	if err != nil {
		return false
	}
	upper, err := strconv.ParseInt(limit, 10, 64)
	return err == nil && lower <= size && size <= upper
}

// form stores the upload of a form if it fits the policy.
func (s *signedServer) form(r *http.Request, bucket string, body []byte) *refusal {
	r.Body = io.NopCloser(bytes.NewReader(body))
	if r.ParseMultipartForm(1<<20) != nil || len(r.MultipartForm.File["file"]) != 1 {
		return invalidArgument("No file.")
	}
	fields := map[string]string{}
	for name, values := range r.MultipartForm.Value {
		fields[strings.ToLower(name)] = values[0]
	}
	if _, problem := s.scope(fields["x-goog-algorithm"], fields["x-goog-credential"], fields["x-goog-date"]); problem != nil {
		return problem
	}
	if !s.verify(fields["policy"], fields["x-goog-signature"]) {
		return badSignature
	}
	file, err := r.MultipartForm.File["file"][0].Open()
	if err != nil {
		return invalidArgument("No file.")
	}
	data, err := io.ReadAll(file)
	if err != nil || !keepsPolicy(fields, bucket, int64(len(data))) {
		return invalidArgument("The policy was not kept.")
	}
	o := &ruleObject{
		Name:               fields["key"],
		ContentType:        fields["content-type"],
		ContentEncoding:    fields["content-encoding"],
		ContentDisposition: fields["content-disposition"],
		CacheControl:       fields["cache-control"],
		Metadata:           map[string]string{},
	}
	for name, value := range fields {
		if field, ok := strings.CutPrefix(name, "x-goog-meta-"); ok {
			o.Metadata[field] = value
		}
	}
	return s.store(bucket, o, url.Values{}, data)
}

// An overridingWriter sets those headers of a response that the query of a signed download names.
type overridingWriter struct {
	http.ResponseWriter
	query url.Values
}

// WriteHeader replaces the headers of a success.
func (w *overridingWriter) WriteHeader(status int) {
	for parameter, header := range map[string]string{
		"response-content-type":        "Content-Type",
		"response-content-disposition": "Content-Disposition",
	} {
		value := w.query.Get(parameter)
		if value != "" && status < http.StatusMultipleChoices {
			w.Header().Set(header, value)
		}
	}
	w.ResponseWriter.WriteHeader(status)
}
