package s3probe

import (
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/s3"
)

// A racyServer honors every condition. But the operations in gap test the condition first and write
// a while later, so another write may come between. The server supports the requests of the checks
// of conditions. It is an http.RoundTripper, so that it uses the clock of synctest.
type racyServer struct {
	gap map[string]bool

	mu      sync.Mutex
	objects map[string]string
	parts   map[string]string // by upload
}

// newRacyServer returns a server on which the operations in gap test a condition and write in two
// steps. An operation is Put, Complete, Copy or Delete.
func newRacyServer(gap ...string) *racyServer {
	s := &racyServer{
		gap:     map[string]bool{},
		objects: map[string]string{},
		parts:   map[string]string{},
	}
	for _, operation := range gap {
		s.gap[operation] = true
	}
	return s
}

// configOf returns a Config whose requests go to the transport.
func configOf(transport http.RoundTripper) s3.Config {
	return s3.Config{
		Bucket:      "photos",
		Endpoint:    "http://store.invalid",
		AccessKeyID: "key",
		SecretKey:   "secret",
		HTTPClient:  &http.Client{Transport: transport},
	}
}

// RoundTrip answers the request.
func (s *racyServer) RoundTrip(r *http.Request) (*http.Response, error) {
	body := ""
	if r.Body != nil {
		all, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = string(all)
	}
	a := s.serve(r, body)

	w := httptest.NewRecorder()
	if a.etag != "" {
		w.Header().Set("ETag", a.etag)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, a.body)
	}
	response := w.Result()
	response.Request = r
	return response, nil
}

// An answer is a response of a racyServer.
type answer struct {
	status int
	etag   string
	body   string
}

// refuse returns an answer with an error.
func refuse(status int, code string) answer {
	return answer{status: status, body: "<Error><Code>" + code + "</Code></Error>"}
}

// A request with the header inGap waits between its test of the condition and its write.
const inGap = "X-In-Gap"

// etagOf returns the ETag of an object or a part with the text.
func etagOf(text string) string { return fmt.Sprintf(`"%x"`, md5.Sum([]byte(text))) }

// serve returns the answer to a request with the body.
func (s *racyServer) serve(r *http.Request, body string) answer {
	query := r.URL.Query()
	key := strings.TrimPrefix(r.URL.Path, "/photos/")
	source := r.Header.Get("X-Amz-Copy-Source")
	switch {
	case query.Has("uploads"):
		return s.createUpload()
	case query.Has("uploadId"):
		return s.serveUpload(r, query.Get("uploadId"), key, body)
	case source != "":
		return s.copyObject(r, strings.TrimPrefix(source, "photos/"), key)
	case r.Method == http.MethodPut && !s.write("Put", key, body, r.Header):
		return refuse(http.StatusPreconditionFailed, "PreconditionFailed")
	case r.Method == http.MethodPut:
		return answer{status: http.StatusOK, etag: etagOf(body)}
	case r.Method == http.MethodDelete && !s.write("Delete", key, "", r.Header):
		return refuse(http.StatusPreconditionFailed, "PreconditionFailed")
	case r.Method == http.MethodDelete:
		return answer{status: http.StatusNoContent}
	case r.Method == http.MethodHead && key == "/photos":
		return answer{status: http.StatusOK}
	case query.Has("list-type") || r.Method == http.MethodPost:
		return refuse(http.StatusNotImplemented, "NotImplemented")
	}

	text, exists := s.object(key)
	if !exists {
		return refuse(http.StatusNotFound, "NoSuchKey")
	}
	return answer{status: http.StatusOK, etag: etagOf(text), body: text}
}

// object returns the text of an object.
func (s *racyServer) object(key string) (text string, exists bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, exists = s.objects[key]
	return text, exists
}

// createUpload begins an upload, and returns its id.
func (s *racyServer) createUpload() answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	upload := strconv.Itoa(len(s.parts))
	s.parts[upload] = ""
	return answer{
		status: http.StatusOK,
		body: "<InitiateMultipartUploadResult><UploadId>" + upload + "</UploadId>" +
			"</InitiateMultipartUploadResult>",
	}
}

// serveUpload uploads the one part of an upload, or completes the upload.
func (s *racyServer) serveUpload(r *http.Request, upload, key, body string) answer {
	switch r.Method {
	case http.MethodPut:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.parts[upload] = body
		return answer{status: http.StatusOK, etag: etagOf(body)}
	case http.MethodPost:
		s.mu.Lock()
		text := s.parts[upload]
		s.mu.Unlock()
		if !s.write("Complete", key, text, r.Header) {
			return refuse(http.StatusPreconditionFailed, "PreconditionFailed")
		}
		return answer{
			status: http.StatusOK,
			body: "<CompleteMultipartUploadResult><ETag>" + etagOf(text) + "</ETag>" +
				"</CompleteMultipartUploadResult>",
		}
	}
	return refuse(http.StatusNotFound, "NoSuchUpload")
}

// copyObject copies an object if the conditions of the request hold.
func (s *racyServer) copyObject(r *http.Request, source, key string) answer {
	text, _ := s.object(source)
	if !s.write("Copy", key, text, r.Header) {
		return refuse(http.StatusPreconditionFailed, "PreconditionFailed")
	}
	return answer{
		status: http.StatusOK,
		body:   "<CopyObjectResult><ETag>" + etagOf(text) + "</ETag></CopyObjectResult>",
	}
}

// write stores the text or removes the key, and reports whether the conditions in the header hold. If the
// operation has a gap, write tests the conditions first, and writes a second later without testing them again.
func (s *racyServer) write(operation, key, text string, header http.Header) bool {
	match := header.Get("If-Match")
	create := header.Get("If-None-Match") != ""
	holds := func() bool {
		old, exists := s.objects[key]
		switch {
		case match != "" && !exists:
			return operation == "Delete"
		case match != "":
			return etagOf(old) == match
		}
		return !create || !exists
	}

	hasGap := s.gap[operation] || header.Get(inGap) != ""
	if hasGap && (match != "" || create) {
		s.mu.Lock()
		isTrue := holds()
		s.mu.Unlock()
		if !isTrue {
			return false
		}
		// The other requests test their conditions during this second.
		time.Sleep(time.Second)
		match = ""
		create = false
	} else {
		// Wait until the other requests have tested their conditions.
		time.Sleep(time.Millisecond)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if !holds() {
		return false
	}
	if operation == "Delete" {
		delete(s.objects, key)
	} else {
		s.objects[key] = text
	}
	return true
}

// If a server tests a condition and writes in two steps, two concurrent requests can both succeed.
// Run then reports that the server does not support the condition.
func TestRunFindsConditionsThatAreNotAtomic(t *testing.T) {
	tests := map[string]struct {
		gap  string        // the operation with two steps, or "" for none
		want s3.Conditions // the conditions that the server supports
	}{
		"none": {
			want: s3.Conditions{Create: true, Update: true, Complete: true, Copy: true, Remove: true},
		},
		"PutObject": {
			gap:  "Put",
			want: s3.Conditions{Complete: true, Copy: true, Remove: true},
		},
		"CompleteMultipartUpload": {
			gap:  "Complete",
			want: s3.Conditions{Create: true, Update: true, Copy: true, Remove: true},
		},
		"CopyObject": {
			gap:  "Copy",
			want: s3.Conditions{Create: true, Update: true, Complete: true, Remove: true},
		},
		"DeleteObject": {
			gap:  "Delete",
			want: s3.Conditions{Create: true, Update: true, Complete: true, Copy: true},
		},
	}

	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				report, err := Run(t.Context(), configOf(newRacyServer(tt.gap)), "tmp/")
				require.NoError(t, err)
				require.Equal(t, tt.want, report.Profile.Conditions, "%v", report)
			})
		})
	}
}

// Some servers are known to test a condition some time before they write. Run does not declare that such a server
// supports the condition, even if no race shows the fault.
func TestRunDoesNotDeclareAConditionThatIsKnownToRace(t *testing.T) {
	allButRemove := s3.Conditions{Create: true, Update: true, Complete: true, Copy: true}
	newProfile := func(name string) *s3.Profile {
		profile, ok := s3.NamedProfile(name)
		require.True(t, ok)
		return &profile
	}

	tests := []struct {
		name     string
		profile  *s3.Profile
		endpoint string
		server   string
		want     s3.Conditions
	}{
		{
			name:     "by the profile",
			profile:  newProfile("versitygw"),
			endpoint: "http://store.invalid",
			want:     allButRemove,
		},
		{
			name:     "by the name in the server's responses",
			profile:  newProfile("unknown"),
			endpoint: "http://store.invalid",
			server:   "VERSITYGW",
			want:     allButRemove,
		},
		{name: "by the host", endpoint: "http://t3.storage.dev", want: s3.Conditions{}},
		{name: "by the host on Fly", endpoint: "http://fly.storage.tigris.dev", want: s3.Conditions{}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := newRacyServer()
				config := configOf(roundTripper(func(r *http.Request) (*http.Response, error) {
					response, err := server.RoundTrip(r)
					if err == nil {
						// versitygw sends an id with every response.
						response.Header.Set("X-Amz-Request-Id", "1")
						response.Header.Set("Server", tt.server)
					}
					return response, err
				}))
				config.Endpoint = tt.endpoint
				config.Profile = tt.profile

				report, err := Run(t.Context(), config, "tmp/")
				require.NoError(t, err)
				require.Equal(t, tt.want, report.Profile.Conditions, "%v", report)

				if tt.want != (s3.Conditions{}) {
					require.Contains(t, report.String(), "not disproved by")
				}
			})
		})
	}
}

// Run repeats its races hundreds of times. So it finds a server that fails only after many races.
func TestRunRacesManyTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newRacyServer()
		// After this number of removals with a condition, the server waits between its test of the
		// condition and the removal.
		const atomicRemovals = 300
		var removals atomic.Int64
		transport := roundTripper(func(r *http.Request) (*http.Response, error) {
			isConditional := r.Method == http.MethodDelete && r.Header.Get("If-Match") != ""
			if isConditional && removals.Add(1) > atomicRemovals {
				r.Header.Set(inGap, "yes")
			}
			return server.RoundTrip(r)
		})

		report, err := Run(t.Context(), configOf(transport), "tmp/")
		require.NoError(t, err)
		require.False(t, report.Profile.Conditions.Remove, "%v", report)
	})
}

// A check that fails clears its feature in the profile. If all checks fail, the driver declares
// only the features that no check is about.
func TestChecksDeclareNothingThatTheyCouldNotProve(t *testing.T) {
	p, ok := s3.NamedProfile("aws")
	require.True(t, ok)

	for i, c := range checks {
		oldProfile := p
		require.NotNil(t, c.set, c.name)
		c.set(&p, false)
		// The first two checks are about the feature of checksums. The first of them has already
		// cleared it.
		isCleared := i == 1
		if !isCleared {
			require.NotEqual(t, oldProfile, p, c.name)
		}
	}

	// A driver with that profile declares only the features below.
	config := configOf(http.DefaultTransport)
	config.Profile = &p
	d, err := s3.NewDriver(t.Context(), config)
	require.NoError(t, err)

	// The features are in this order: those for the form of objects and keys, for URLs and uploads,
	// and for versions and classes.
	uncheckedFeatures := storage.Metadata | storage.ContentProperties | storage.KeysBesideFolders |
		storage.LongSegments | storage.Vending
	uncheckedFeatures |= storage.SignedURLs | storage.SignedHead | storage.SignedParts | storage.SignedRemovals |
		storage.StableURLs | storage.MultipartUploads | storage.OpenUploads
	uncheckedFeatures |= storage.Versioning | storage.StorageClasses | storage.Restoring

	require.Zero(t, d.Describe().Features&^uncheckedFeatures)
	require.False(t, p.OrderedListing)
}

// A roundTripper is a function that is an http.RoundTripper.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

var errConnection = errors.New("the connection broke")

// refusingSignedURLs serves requests that are signed by header. It records requests to
// signed URLs and breaks their connection.
func refusingSignedURLs(urls *[]string) http.RoundTripper {
	server := newRacyServer()
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.URL.Query().Has("X-Amz-Signature") {
			*urls = append(*urls, r.URL.String())
			return nil, errConnection
		}
		return server.RoundTrip(r)
	})
}

// The report has no signature, even if a signed request fails with an error that contains its URL.
func TestReportHasNoSignatures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var urls []string
		report, err := Run(t.Context(), configOf(refusingSignedURLs(&urls)), "tmp/")
		require.NoError(t, err)

		require.NotEmpty(t, urls)
		require.Contains(t, report.String(), errConnection.Error())
		require.NotContains(t, report.String(), "X-Amz-")
	})
}

// Run sends signed requests with the HTTP client of Config.Client, which may use a proxy or trust
// another certificate.
func TestRunSendsSignedRequestsWithTheGivenClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var urls []string
		endpoint := "http://store.invalid"
		client := awss3.New(awss3.Options{
			Region:       "us-east-1",
			BaseEndpoint: &endpoint,
			UsePathStyle: true,
			Credentials:  credentials.NewStaticCredentialsProvider("key", "secret", ""),
			HTTPClient:   &http.Client{Transport: refusingSignedURLs(&urls)},
		})
		_, err := Run(t.Context(), s3.Config{Bucket: "photos", Client: client}, "tmp/")
		require.NoError(t, err)
		require.NotEmpty(t, urls, "the client has recorded no signed URL")
	})
}
