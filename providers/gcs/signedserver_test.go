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

// A signedServer checks signatures in front of a ruleServer, as Google documents.
// It makes the canonical request from what arrived and shares no code with the
// driver. Requests with the token pass, and those with neither token nor
// signature are refused.
type signedServer struct {
	*httptest.Server
	rules *ruleServer
	email string
	key   *rsa.PublicKey
}

const signedServerToken = "token"

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
	s := &signedServer{rules: startRuleServer(t), email: file.ClientEmail, key: &key.(*rsa.PrivateKey).PublicKey}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

var (
	noSignature  = &refusal{401, "required", "Anonymous caller does not have storage access.", "AuthenticationRequired"}
	badSignature = &refusal{403, "forbidden", "Access denied.", "SignatureDoesNotMatch"}
	expired      = &refusal{400, "invalid", "Invalid argument.", "ExpiredToken"}
)

func (s *signedServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") == "Bearer "+signedServerToken {
		s.rules.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	key, _ = url.PathUnescape(key)
	if r.Method == http.MethodPost && key == "" {
		writeJSON(w, struct{}{}, s.form(r, bucket, body))
		return
	}
	if !r.URL.Query().Has("X-Goog-Signature") {
		writeJSON(w, nil, noSignature)
		return
	}
	no := s.check(r)
	switch {
	case no == nil && r.Method == http.MethodPut:
		no = s.put(r, bucket, key, body)
		if no == nil {
			sum := md5.Sum(body)
			w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:])+`"`)
		}
	case no == nil && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		s.rules.ServeHTTP(&overriding{w, r.URL.Query()}, r)
		return
	case no == nil && r.Method == http.MethodDelete:
		object := r.Clone(r.Context())
		object.URL = &url.URL{
			Path:    "/storage/v1/b/" + bucket + "/o/" + key,
			RawPath: "/storage/v1/b/" + bucket + "/o/" + url.PathEscape(key),
		}
		object.URL.RawQuery = url.Values{"generation": r.URL.Query()["generation"]}.Encode()
		s.rules.ServeHTTP(w, object)
		return
	case no == nil:
		no = badSignature
	}
	writeJSON(w, struct{}{}, no)
}

// check verifies the signature of a URL.
func (s *signedServer) check(r *http.Request) *refusal {
	query := r.URL.Query()
	names := strings.Split(query.Get("X-Goog-SignedHeaders"), ";")
	for name := range r.Header {
		name = strings.ToLower(name)
		if strings.HasPrefix(name, "x-goog-") && !slices.Contains(names, name) {
			return badSignature
		}
	}
	var lines strings.Builder
	for _, name := range names {
		value := strings.Join(strings.Fields(strings.Join(r.Header.Values(name), ",")), " ")
		if name == "host" {
			value = r.Host
			if host, _, err := net.SplitHostPort(r.Host); err == nil {
				value = host
			}
		}
		lines.WriteString(name + ":" + value + "\n")
	}
	var parameters []string
	for _, parameter := range strings.Split(r.URL.RawQuery, "&") {
		if !strings.HasPrefix(parameter, "X-Goog-Signature=") {
			parameters = append(parameters, parameter)
		}
	}
	slices.Sort(parameters)
	path, _, _ := strings.Cut(r.RequestURI, "?")
	canonical := sha256.Sum256([]byte(strings.Join([]string{r.Method, path, strings.Join(parameters, "&"), lines.String(), strings.Join(names, ";"), "UNSIGNED-PAYLOAD"}, "\n")))
	date := query.Get("X-Goog-Date")
	scope, no := s.scope(query.Get("X-Goog-Algorithm"), query.Get("X-Goog-Credential"), date)
	if no != nil {
		return no
	}
	text := strings.Join([]string{"GOOG4-RSA-SHA256", date, scope, hex.EncodeToString(canonical[:])}, "\n")
	if !s.verify(text, query.Get("X-Goog-Signature")) || !slices.Contains(names, "host") {
		return badSignature
	}
	start, err := time.Parse("20060102T150405Z", date)
	seconds, bad := strconv.Atoi(query.Get("X-Goog-Expires"))
	if err != nil || bad != nil || seconds < 1 || seconds > 604_800 || time.Now().After(start.Add(time.Duration(seconds)*time.Second)) {
		return expired
	}
	return nil
}

// scope returns the part of a credential after the account. The account must be
// the test's, and the day that of date.
func (s *signedServer) scope(algorithm, credential, date string) (string, *refusal) {
	scope, isOurs := strings.CutPrefix(credential, s.email+"/")
	if algorithm != "GOOG4-RSA-SHA256" || !isOurs || len(date) != 16 || scope != date[:8]+"/auto/storage/goog4_request" {
		return "", badSignature
	}
	return scope, nil
}

func (s *signedServer) verify(text, signature string) bool {
	raw, err := hex.DecodeString(signature)
	sum := sha256.Sum256([]byte(text))
	return err == nil && rsa.VerifyPKCS1v15(s.key, crypto.SHA256, sum[:], raw) == nil
}

// put stores a signed upload.
func (s *signedServer) put(r *http.Request, bucket, key string, body []byte) *refusal {
	h := r.Header
	if sizes := h.Get("X-Goog-Content-Length-Range"); sizes != "" {
		least, maximum, _ := strings.Cut(sizes, ",")
		if !within(int64(len(body)), least, maximum) {
			return bad("The size of the object is not in the range.")
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

func (s *signedServer) store(bucket string, o *ruleObject, query url.Values, body []byte) *refusal {
	s.rules.mu.Lock()
	defer s.rules.mu.Unlock()
	b := s.rules.buckets[bucket]
	if b == nil {
		return missingBucket
	}
	return s.rules.insert(b, o, query, body, false)
}

func within(size int64, least, limit string) bool {
	start, err := strconv.ParseInt(least, 10, 64)
	end, bad := strconv.ParseInt(limit, 10, 64)
	return err == nil && bad == nil && start <= size && size <= end
}

// form stores the upload of a form if it fits the policy.
func (s *signedServer) form(r *http.Request, bucket string, body []byte) *refusal {
	r.Body = io.NopCloser(bytes.NewReader(body))
	if r.ParseMultipartForm(1<<20) != nil || len(r.MultipartForm.File["file"]) != 1 {
		return bad("No file.")
	}
	fields := map[string]string{}
	for name, values := range r.MultipartForm.Value {
		fields[strings.ToLower(name)] = values[0]
	}
	if _, no := s.scope(fields["x-goog-algorithm"], fields["x-goog-credential"], fields["x-goog-date"]); no != nil {
		return no
	}
	if !s.verify(fields["policy"], fields["x-goog-signature"]) {
		return badSignature
	}
	file, err := r.MultipartForm.File["file"][0].Open()
	if err != nil {
		return bad("No file.")
	}
	data, err := io.ReadAll(file)
	if err != nil || !keepsPolicy(fields, bucket, int64(len(data))) {
		return bad("The policy was not kept.")
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

// An overriding response has the headers that the query of a signed download
// sets.
type overriding struct {
	http.ResponseWriter
	query url.Values
}

func (w *overriding) WriteHeader(status int) {
	for parameter, name := range map[string]string{"response-content-type": "Content-Type", "response-content-disposition": "Content-Disposition"} {
		if value := w.query.Get(parameter); value != "" && status < 300 {
			w.Header().Set(name, value)
		}
	}
	w.ResponseWriter.WriteHeader(status)
}
