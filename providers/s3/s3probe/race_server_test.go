package s3probe

import (
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/s3"
)

// A racyServer honors every condition, but the operations in gap test it and write a
// while later. It supports the requests of the checks of conditions. It is an
// http.RoundTripper, so that it uses the clock of synctest.
type racyServer struct {
	gap map[string]bool

	mu      sync.Mutex
	objects map[string]string
	parts   map[string]string // by upload
}

func (s *racyServer) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	body := ""
	if r.Body != nil {
		all, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = string(all)
	}
	status, header, content := s.serve(r, body)
	maps.Copy(w.Header(), header)
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, content)
	}
	response := w.Result()
	response.Request = r
	return response, nil
}

// inGap is a header that gives one request the gap.
const inGap = "X-In-Gap"

func tagOf(text string) string { return fmt.Sprintf(`"%x"`, md5.Sum([]byte(text))) }

func (s *racyServer) serve(r *http.Request, body string) (status int, header http.Header, content string) {
	query := r.URL.Query()
	key := strings.TrimPrefix(r.URL.Path, "/photos/")
	tagged := func(text string) http.Header { return http.Header{"Etag": {tagOf(text)}} }
	refuse := func(status int, code string) (int, http.Header, string) {
		return status, nil, "<Error><Code>" + code + "</Code></Error>"
	}
	if query.Has("uploads") {
		s.mu.Lock()
		defer s.mu.Unlock()
		upload := strconv.Itoa(len(s.parts))
		s.parts[upload] = ""
		return http.StatusOK, nil, "<InitiateMultipartUploadResult><UploadId>" + upload + "</UploadId></InitiateMultipartUploadResult>"
	}
	if query.Has("uploadId") && r.Method == http.MethodPut {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.parts[query.Get("uploadId")] = body
		return http.StatusOK, tagged(body), ""
	}
	if query.Has("uploadId") && r.Method == http.MethodPost {
		s.mu.Lock()
		text := s.parts[query.Get("uploadId")]
		s.mu.Unlock()
		if code := s.write("Complete", key, text, r.Header); code != "" {
			return refuse(http.StatusPreconditionFailed, code)
		}
		return http.StatusOK, nil, "<CompleteMultipartUploadResult><ETag>" + tagOf(text) + "</ETag></CompleteMultipartUploadResult>"
	}
	if query.Has("uploadId") {
		return refuse(http.StatusNotFound, "NoSuchUpload")
	}
	if r.Header.Get("X-Amz-Copy-Source") != "" {
		s.mu.Lock()
		text := s.objects[strings.TrimPrefix(r.Header.Get("X-Amz-Copy-Source"), "photos/")]
		s.mu.Unlock()
		if code := s.write("Copy", key, text, r.Header); code != "" {
			return refuse(http.StatusPreconditionFailed, code)
		}
		return http.StatusOK, nil, "<CopyObjectResult><ETag>" + tagOf(text) + "</ETag></CopyObjectResult>"
	}
	if r.Method == http.MethodPut {
		if code := s.write("Put", key, body, r.Header); code != "" {
			return refuse(http.StatusPreconditionFailed, code)
		}
		return http.StatusOK, tagged(body), ""
	}
	if r.Method == http.MethodDelete {
		if code := s.write("Delete", key, "", r.Header); code != "" {
			return refuse(http.StatusPreconditionFailed, code)
		}
		return http.StatusNoContent, nil, ""
	}
	if r.Method == http.MethodHead && key == "/photos" {
		return http.StatusOK, nil, ""
	}
	if query.Has("list-type") || r.Method == http.MethodPost {
		return refuse(http.StatusNotImplemented, "NotImplemented")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	text, exists := s.objects[key]
	if !exists {
		return refuse(http.StatusNotFound, "NoSuchKey")
	}
	return http.StatusOK, tagged(text), text
}

// write stores the text or removes the key if the conditions hold.
func (s *racyServer) write(operation, key, text string, header http.Header) (refused string) {
	const before, gap = time.Millisecond, time.Second
	match := header.Get("If-Match")
	exists := func() bool {
		old, exists := s.objects[key]
		if match != "" && operation == "Delete" && !exists {
			return true
		}
		if match != "" {
			return exists && tagOf(old) == match
		}
		return header.Get("If-None-Match") == "" || !exists
	}
	if (s.gap[operation] || header.Get(inGap) != "") && (match != "" || header.Get("If-None-Match") != "") {
		s.mu.Lock()
		holds := exists()
		s.mu.Unlock()
		if !holds {
			return "PreconditionFailed"
		}
		time.Sleep(gap)
		match = ""
		header = http.Header{}
	} else {
		time.Sleep(before) // until the others have tested their conditions
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !exists():
		return "PreconditionFailed"
	case operation == "Delete":
		delete(s.objects, key)
	default:
		s.objects[key] = text
	}
	return ""
}

func TestRunFindsConditionsThatAreNotAtomic(t *testing.T) {
	all := s3.Conditions{Create: true, Update: true, Complete: true, Copy: true, Remove: true}
	tests := map[string]struct {
		gap  string
		want func(c *s3.Conditions)
	}{
		"none": {"", func(*s3.Conditions) {}},
		"PutObject": {"Put", func(c *s3.Conditions) {
			c.Create = false
			c.Update = false
		}},
		"CompleteMultipartUpload": {"Complete", func(c *s3.Conditions) {
			c.Complete = false
		}},
		"CopyObject": {"Copy", func(c *s3.Conditions) {
			c.Copy = false
		}},
		"DeleteObject": {"Delete", func(c *s3.Conditions) {
			c.Remove = false
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &racyServer{
					gap:     map[string]bool{tt.gap: true},
					objects: map[string]string{},
					parts:   map[string]string{},
				}
				report, err := Run(t.Context(), s3.Config{
					Bucket:      "photos",
					Endpoint:    "http://store.invalid",
					AccessKeyID: "key",
					SecretKey:   "secret",
					HTTPClient:  &http.Client{Transport: server},
				}, "tmp/")
				require.NoError(t, err)
				want := all
				tt.want(&want)
				require.Equal(t, want, report.Profile.Conditions, "%v", report)
			})
		})
	}
}

func TestRunDoesNotDeclareAConditionThatIsKnownToRace(t *testing.T) {
	all := s3.Conditions{Create: true, Update: true, Complete: true, Copy: true, Remove: true}
	atomic := all
	atomic.Remove = false
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
			want:     atomic,
		},
		{
			name:     "by the name in the server's responses",
			profile:  newProfile("unknown"),
			endpoint: "http://store.invalid",
			server:   "VERSITYGW",
			want:     atomic,
		},
		{name: "by the host", endpoint: "http://t3.storage.dev", want: s3.Conditions{}},
		{name: "by the host on Fly", endpoint: "http://fly.storage.tigris.dev", want: s3.Conditions{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &racyServer{objects: map[string]string{}, parts: map[string]string{}}
				report, err := Run(t.Context(), s3.Config{
					Bucket:      "photos",
					Endpoint:    tt.endpoint,
					AccessKeyID: "key",
					SecretKey:   "secret",
					Profile:     tt.profile,
					HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
						response, err := server.RoundTrip(r)
						if err == nil {
							response.Header.Set("X-Amz-Request-Id", "1") // versitygw sends one with every response
							response.Header.Set("Server", tt.server)
						}
						return response, err
					})},
				}, "tmp/")
				require.NoError(t, err)
				require.Equal(t, tt.want, report.Profile.Conditions, "%v", report)

				if tt.want != (s3.Conditions{}) {
					require.Contains(t, report.String(), "not disproved by")
				}
			})
		})
	}
}

// Run repeats its races hundreds of times, so it finds a server that fails only after many of them.
func TestRunRacesManyTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &racyServer{objects: map[string]string{}, parts: map[string]string{}}
		removals := 0

		var mu sync.Mutex
		report, err := Run(t.Context(), s3.Config{
			Bucket:      "photos",
			Endpoint:    "http://store.invalid",
			AccessKeyID: "key",
			SecretKey:   "secret",
			HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				mu.Lock()
				if r.Method == http.MethodDelete && r.Header.Get("If-Match") != "" {
					removals++
					if removals > 300 {
						r.Header.Set(inGap, "yes")
					}
				}
				mu.Unlock()
				return server.RoundTrip(r)
			})},
		}, "tmp/")
		require.NoError(t, err)
		require.False(t, report.Profile.Conditions.Remove, "%v", report)
	})
}

// If a check fails, it clears its feature in the profile.
func TestChecksDeclareNothingThatTheyCouldNotProve(t *testing.T) {
	p, ok := s3.NamedProfile("aws")
	require.True(t, ok)

	for _, c := range checks {
		oldProfile := p
		require.NotNil(t, c.set, c.name)
		c.set(&p, false)
		if c.name != checks[1].name { // the first one has removed the checksums already
			require.NotEqual(t, oldProfile, p, c.name)
		}
	}

	d, err := s3.NewDriver(t.Context(), s3.Config{
		Bucket:      "photos",
		Endpoint:    "http://store.invalid",
		AccessKeyID: "key",
		SecretKey:   "secret",
		Profile:     &p,
	})
	require.NoError(t, err)

	// These come by the name of the profile.
	keeps := storage.Metadata | storage.ContentProperties | storage.KeysBesideFolders | storage.LongSegments |
		storage.ListedUploads | storage.Vending

	// These come with MultipartUploads and SignedURLs.
	keeps |= storage.OpenUploads | storage.SignedParts | storage.SignedRemovals | storage.StableURLs
	require.Zero(t, d.Describe().Features&^(storage.SignedURLs|storage.SignedHead|storage.MultipartUploads|storage.Versioning|storage.StorageClasses|storage.Restoring|keeps))
	require.False(t, p.OrderedListing)
}

// A roundTripper is a function that is an http.RoundTripper.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

var errConnection = errors.New("the connection broke")

// refusingSignedURLs serves requests that are signed by header. It records requests to
// signed URLs and breaks their connection.
func refusingSignedURLs(urls *[]string) *http.Client {
	server := &racyServer{objects: map[string]string{}, parts: map[string]string{}}
	return &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.URL.Query().Has("X-Amz-Signature") {
			*urls = append(*urls, r.URL.String())
			return nil, errConnection
		}
		return server.RoundTrip(r)
	})}
}

// The report has no signatures.
func TestReportHasNoSignatures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var urls []string
		report, err := Run(t.Context(), s3.Config{
			Bucket:      "photos",
			Endpoint:    "http://store.invalid",
			AccessKeyID: "key",
			SecretKey:   "secret",
			HTTPClient:  refusingSignedURLs(&urls),
		}, "tmp/")
		require.NoError(t, err)
		require.NotEmpty(t, urls)
		require.Contains(t, report.String(), errConnection.Error())
		require.NotContains(t, report.String(), "X-Amz-")
	})
}

// The given client may use a proxy, or trust another certificate.
func TestRunSendsSignedRequestsWithTheGivenClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var urls []string
		endpoint := "http://store.invalid"
		client := awss3.New(awss3.Options{
			Region:       "us-east-1",
			BaseEndpoint: &endpoint,
			UsePathStyle: true,
			Credentials:  credentials.NewStaticCredentialsProvider("key", "secret", ""),
			HTTPClient:   refusingSignedURLs(&urls),
		})
		_, err := Run(t.Context(), s3.Config{Bucket: "photos", Client: client}, "tmp/")
		require.NoError(t, err)
		require.NotEmpty(t, urls)
	})
}
