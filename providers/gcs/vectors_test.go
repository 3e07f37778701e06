package gcs

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/internal/sigv4"
)

// The vectors are those that all of Google's SDKs use, from the module of the Go SDK. If Sign or
// SignForm can express a vector, it is tested through that function. Other vectors (other methods,
// other headers, hosts bound to a bucket) are tested through the functions that Sign and SignForm
// call.

// A vectorFile is the file of all vectors.
type vectorFile struct {
	Signing []signingVector `json:"signingV4Tests"`
	Forms   []formVector    `json:"postPolicyV4Tests"`
}

// A vectorPlace is the part of a test vector that says what is signed: the object, its address, and the time.
type vectorPlace struct {
	Bucket, Object, Scheme, URLStyle, BucketBoundHostname string

	Timestamp  time.Time
	Expiration int64 // seconds
}

// A signingVector has the arguments and the result of signing a URL.
type signingVector struct {
	vectorPlace
	Description, Method                                        string
	Hostname, ClientEndpoint, EmulatorHostname, UniverseDomain string
	Headers, QueryParameters                                   map[string]string
	ExpectedURL                                                string `json:"expectedUrl"`
}

// A formVector has the arguments and the result of signing a form.
type formVector struct {
	Description string
	PolicyInput struct {
		vectorPlace
		Fields     map[string]string
		Conditions struct {
			StartsWith         []string
			ContentLengthRange []int64
		}
	}
	PolicyOutput struct {
		URL    string
		Fields map[string]string // including the policy and its signature
	}
}

// readVectors returns the vectors, and a signer with their key.
func readVectors(t *testing.T) (*vectorFile, *keySigner) {
	t.Helper()
	module, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}",
		"cloud.google.com/go/storage").Output()
	require.NoError(t, err)
	folder := filepath.Join(strings.TrimSpace(string(module)), "internal", "test", "conformance")
	key, err := os.ReadFile(filepath.Join(folder, "service-account"))
	require.NoError(t, err)
	signs, err := newKeySigner(key, "")
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(folder, "v4_signatures.json"))
	require.NoError(t, err)
	vectors := &vectorFile{}
	require.NoError(t, json.Unmarshal(text, vectors))
	return vectors, signs
}

// base returns the endpoint that the client of this test vector uses. The endpoint is an argument
// of Config and of WithSigningBaseURL.
func (v *signingVector) base() string {
	host := "storage.googleapis.com"
	// the last name that is set counts
	for _, name := range []string{v.EmulatorHostname, v.UniverseDomain, v.ClientEndpoint, v.Hostname} {
		if name != "" {
			host = name
		}
	}
	if host == v.UniverseDomain {
		host = "storage." + host
	}
	return v.vectorPlace.base(host)
}

// base returns the base URL for a host, in the style of addresses that the test vector requires.
func (p *vectorPlace) base(host string) string {
	if _, rest, ok := strings.Cut(host, "://"); ok {
		host = rest
	}
	scheme := p.Scheme
	if scheme == "" {
		scheme = "https"
	}
	switch p.URLStyle {
	case "VIRTUAL_HOSTED_STYLE":
		host = p.Bucket + "." + host
	case "BUCKET_BOUND_HOSTNAME":
		host = p.BucketBoundHostname
	}
	return scheme + "://" + host
}

// driver returns the driver of a bucket that signs with the vectors' key.
func (p *vectorPlace) driver(signs signer) *objectDriver {
	s := &signerFinder{}
	s.cached.Store(&signs)
	return newDriver(&account{signerFinder: s}, p.Bucket)
}

// request returns the vector as a request for Sign, or nil if Sign cannot express
// it.
func (v *signingVector) request() *driver.SignRequest {
	if v.Method != http.MethodGet && v.Method != http.MethodPut {
		return nil
	}
	if v.Object == "" || v.URLStyle == "BUCKET_BOUND_HOSTNAME" {
		return nil
	}
	if len(v.Headers) > 0 || len(v.QueryParameters) > 0 {
		return nil
	}
	return &driver.SignRequest{
		Method:  v.Method,
		Key:     v.Object,
		TTL:     time.Duration(v.Expiration) * time.Second,
		BaseURL: v.base(),
		MinSize: -1,
		MaxSize: -1,
	}
}

// The method foreign signs a test vector by signURL directly. It is for vectors that Sign cannot
// express.
func (v *signingVector) foreign(t *testing.T, d *objectDriver) *v4Request {
	t.Helper()
	address, err := d.urls.bucketURL(v.base())
	require.NoError(t, err)
	if v.URLStyle == "BUCKET_BOUND_HOSTNAME" {
		address, err = url.Parse(v.base())
		require.NoError(t, err)
	}
	if v.Object != "" {
		address = objectURL(address, v.Object)
	}
	r := &v4Request{method: v.Method, address: address, query: url.Values{}, header: http.Header{}}
	for name, value := range v.QueryParameters {
		r.query.Set(name, value)
	}
	for name, value := range v.Headers {
		r.header.Set(name, value)
	}
	r.payload = r.header.Get("X-Goog-Content-Sha256")
	return r
}

// Signed URLs are equal to those in Google's test vectors.
func TestSignatureEqualsGooglesVectors(t *testing.T) {
	vectors, signs := readVectors(t) // with a signer of their key

	// The driver's own Sign can express some of the vectors. The others are signed by signURL directly.
	const vectorCount, expressibleCount = 29, 15
	require.Len(t, vectors.Signing, vectorCount)
	signCount := 0 // vectors that Sign has signed
	for _, v := range vectors.Signing {
		t.Run(v.Description, func(t *testing.T) {
			d := v.driver(signs)
			if r := v.request(); r != nil {
				signCount++
				signedURL, err := d.urls.sign(t.Context(), r, v.Timestamp)
				require.NoError(t, err)
				require.Equal(t, v.ExpectedURL, signedURL.URL)
				return
			}

			signer := &v4Signer{sigv4.Term{From: v.Timestamp, Seconds: v.Expiration}, signs}
			signedURL, err := signer.signURL(t.Context(), v.foreign(t, d))
			require.NoError(t, err)
			require.Equal(t, v.ExpectedURL, signedURL)
		})
	}
	require.Equal(t, expressibleCount, signCount)
}

// Signed forms are equal to those in Google's test vectors.
func TestFormEqualsGooglesVectors(t *testing.T) {
	vectors, signs := readVectors(t)
	require.Len(t, vectors.Forms, 11)
	for _, v := range vectors.Forms {
		t.Run(v.Description, func(t *testing.T) {
			input := v.PolicyInput
			output := v.PolicyOutput
			d := input.driver(signs)
			address, err := d.urls.bucketURL(input.base("storage.googleapis.com"))
			require.NoError(t, err)
			if input.URLStyle == "BUCKET_BOUND_HOSTNAME" {
				// The host stands for the bucket, so the bucket's name must not be added.
				address, err = url.Parse(input.base(""))
				require.NoError(t, err)
			}
			require.Equal(t, output.URL, address.String()+"/")

			form := &v4Form{bucket: input.Bucket, fields: map[string]string{"key": input.Object}}
			for name, value := range input.Fields {
				form.fields[name] = value
			}
			if prefix := input.Conditions.StartsWith; prefix != nil {
				form.conditions = append(form.conditions, []any{"starts-with", prefix[0], prefix[1]})
			}
			if sizes := input.Conditions.ContentLengthRange; sizes != nil {
				form.conditions = append(form.conditions, []any{"content-length-range", sizes[0], sizes[1]})
			}

			signer := &v4Signer{sigv4.Term{From: input.Timestamp, Seconds: input.Expiration}, signs}
			require.NoError(t, signer.signForm(t.Context(), form))
			require.Equal(t, output.Fields, form.fields)
		})
	}
}
