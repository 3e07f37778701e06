package s3server_test

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/explored"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/storagetest/interleave"
)

// everything is a policy that lets everyone use the bucket "bucket".
const everything = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*",
	"Resource":["arn:aws:s3:::bucket","arn:aws:s3:::bucket/*"]}]}`

// expiring is a lifecycle that removes objects after a day.
const expiring = `<LifecycleConfiguration><Rule><ID>r</ID><Filter><Prefix/></Filter><Status>Enabled</Status>
	<Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>`

// askServer sends a request without a signature to a server without a listener.
func askServer(
	ctx context.Context, h http.Handler, method, target, body string,
) (status int, text, tag string) {
	r := httptest.NewRequestWithContext(ctx, method, "http://s3.invalid/bucket"+target,
		strings.NewReader(body))
	sum := md5.Sum([]byte(body))
	r.Header.Set("Content-MD5", base64.StdEncoding.EncodeToString(sum[:]))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String(), w.Header().Get("ETag")
}

// An exploredRequest is a request to the server of TestExploredServer.
type exploredRequest struct {
	method   string
	target   string // in target and body, ID stands for the upload, and TAG for the ETag of its part
	body     string
	onBucket bool // true if the request is about the bucket, and not about the object k
}

// runLifecycle stands for a run of lifecycle rules in place of a request.
var runLifecycle = exploredRequest{method: "lifecycle"}

// setVersioning returns a request that sets the versioning of the bucket.
func setVersioning(status string) exploredRequest {
	return exploredRequest{
		method:   http.MethodPut,
		onBucket: true,
		target:   "?versioning",
		body:     "<VersioningConfiguration><Status>" + status + "</Status></VersioningConfiguration>",
	}
}

// send sends the request, and fails if the response is an error.
func (r exploredRequest) send(ctx context.Context, server *s3server.Handler, upload exploredUpload) error {
	if r == runLifecycle {
		server.RunLifecycle()
		return nil
	}
	names := strings.NewReplacer("ID", upload.id, "TAG", upload.partTag)
	target := names.Replace(r.target)
	if !r.onBucket {
		target = "/k" + target
	}
	status, text, _ := askServer(ctx, server, r.method, target, names.Replace(r.body))
	if status >= 300 || strings.Contains(text, "<Error>") {
		return errors.New(text)
	}
	return nil
}

// An exploredUpload is an upload to the object k with one part, whose content is "part".
type exploredUpload struct{ id, partTag string }

// newExploredServer returns a server over a service, which is closed at the end of the scene.
func newExploredServer(s *interleave.Scene, service driver.ServiceDriver) *s3server.Handler {
	server := s3server.New(s3server.Config{Service: service, Limits: s3server.Limits{MinPartSize: 1}})
	s.Cleanup(server.Close)
	return server
}

// setUpExploredBucket creates a bucket with the object k, whose content is "first", and with an upload to the same
// object. It also returns the ETag of the object. If isExpired is true, the lifecycle of the bucket may remove the
// object.
//
// The time of a scene moves only while it waits. So setUpExploredBucket waits for a minute after each change of versioning
// and each write: the server tells by their times which of them came first.
func setUpExploredBucket(
	s *interleave.Scene, service driver.ServiceDriver, isVersioned, isExpired bool,
) (upload exploredUpload, firstTag string) {
	server := newExploredServer(s, service)
	setup := s3server.BucketSetup{Name: "bucket", Policy: []byte(everything)}
	require.NoError(s, server.SetUpBucket(s.Context(), setup))
	ask := func(method, target, body string) (text, tag string) {
		status, text, tag := askServer(s.Context(), server, method, target, body)
		require.Less(s, status, 300, "%s %s: %s", method, target, text)
		return text, tag
	}

	if isVersioned {
		enable := setVersioning("Enabled")
		ask(enable.method, enable.target, enable.body)
		time.Sleep(time.Minute)
	}
	_, firstTag = ask(http.MethodPut, "/k", "first")
	created, _ := ask(http.MethodPost, "/k?uploads", "")
	id := uploadIDs.FindStringSubmatch(created)
	require.Len(s, id, 2, created)
	_, partTag := ask(http.MethodPut, "/k?partNumber=1&uploadId="+id[1], "part")
	time.Sleep(time.Minute)
	if isExpired {
		ask(http.MethodPut, "?lifecycle", expiring)
		time.Sleep(72 * time.Hour)
	}
	return exploredUpload{id: id[1], partTag: partTag}, strings.Trim(firstTag, `"`)
}

var uploadIDs = regexp.MustCompile(`<UploadId>(.*)</UploadId>`)

// If two requests run at the same time, their calls of the store may come in any order. The result is always that of
// one request after the other, for this server and for the next one. The package interleave runs each scene with many
// orders, and also lets the server die or a response of the store get lost.
func TestExploredServer(t *testing.T) {
	const noObject = ""
	put := exploredRequest{method: http.MethodPut, body: "put"}
	remove := exploredRequest{method: http.MethodDelete}
	abort := exploredRequest{method: http.MethodDelete, target: "?uploadId=ID"}
	setTags := exploredRequest{method: http.MethodPut, target: "?tagging", body: "<Tagging><TagSet/></Tagging>"}
	complete := exploredRequest{
		method: http.MethodPost,
		target: "?uploadId=ID",
		body: "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>TAG</ETag></Part>" +
			"</CompleteMultipartUpload>",
	}
	enable := setVersioning("Enabled")
	suspend := setVersioning("Suspended")

	tests := []struct {
		name         string
		versioned    bool // true if the bucket has versions
		expired      bool // true if the object has expired by the lifecycle of the bucket
		first        exploredRequest
		second       exploredRequest
		wantContents []string // the possible contents of the object if both requests succeed
	}{
		{name: "complete and complete", first: complete, second: complete, wantContents: []string{"part"}},
		{name: "complete and put", first: complete, second: put, wantContents: []string{"part", "put"}},
		{name: "complete and abort", first: complete, second: abort, wantContents: []string{"part"}},
		{name: "complete and delete", first: complete, second: remove, wantContents: []string{"part", noObject}},
		{name: "put and delete", first: put, second: remove, wantContents: []string{"put", noObject}},
		{name: "put and versioning on", first: put, second: enable, wantContents: []string{"put"}},
		{name: "put and versioning off", versioned: true, first: put, second: suspend, wantContents: []string{"put"}},
		{name: "delete and versioning on", first: remove, second: enable, wantContents: []string{noObject}},
		{
			name:         "delete and versioning off",
			versioned:    true,
			first:        remove,
			second:       suspend,
			wantContents: []string{noObject},
		},
		{name: "complete and versioning on", first: complete, second: enable, wantContents: []string{"part"}},
		{name: "put and lifecycle", expired: true, first: put, second: runLifecycle, wantContents: []string{"put"}},
		{
			name:         "put and lifecycle with versions",
			versioned:    true,
			expired:      true,
			first:        put,
			second:       runLifecycle,
			wantContents: []string{"put"},
		},
		{
			name:         "complete and lifecycle",
			expired:      true,
			first:        complete,
			second:       runLifecycle,
			wantContents: []string{"part"},
		},
		{
			name:         "delete and lifecycle with versions",
			versioned:    true,
			expired:      true,
			first:        remove,
			second:       runLifecycle,
			wantContents: []string{noObject},
		},
		{name: "put and tags", first: put, second: setTags, wantContents: []string{"put"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The scene uses a service in memory. This service has all features, so the scene runs
			// only on the first kind of store.
			c := explored.Config()
			c.Weaknesses = interleave.Weaknesses()[:1]
			interleave.Run(t, c, func(s *interleave.Scene) {
				service := memstore.NewServiceDriver(memstore.ServiceConfig{})
				upload, firstTag := setUpExploredBucket(s, service, tt.versioned, tt.expired)

				// Run both requests at the same time.
				process := s.Process("server")
				server := newExploredServer(s, driver.ServiceWithLayers(service, process.Layer("bucket")))
				first := process.Go("first", func(ctx context.Context) error {
					return tt.first.send(ctx, server, upload)
				})
				second := process.Go("second", func(ctx context.Context) error {
					return tt.second.send(ctx, server, upload)
				})

				// After both requests have ended, a new server over the same store shows the result.
				s.Check(func() {
					next := newExploredServer(s, service)
					status, content, _ := askServer(s.Context(), next, http.MethodGet, "/k", "")
					if status == http.StatusNotFound {
						content = noObject
					}
					require.Contains(s, []string{"first", "part", "put", noObject}, content)

					// If both requests succeeded and no response was lost, fewer contents are
					// possible.
					bothSucceeded := first.Err() == nil && second.Err() == nil && !process.Died()
					if bothSucceeded && !first.Lost() && !second.Lost() {
						require.Contains(s, tt.wantContents, content)
					}

					// A version from before the requests must not be lost.
					if tt.versioned {
						_, versions, _ := askServer(s.Context(), next, http.MethodGet, "?versions", "")
						require.Contains(s, versions, firstTag)
					}
				})
			})
		})
	}
}
