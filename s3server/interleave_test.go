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

// everything lets everyone use the bucket "bucket".
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

var uploadIDs = regexp.MustCompile(`<UploadId>(.*)</UploadId>`)

// If two requests run at the same time over one store, the result is that of one after the other. This holds for
// the next server, too.
func TestExploredServer(t *testing.T) {
	type request struct {
		method, target, body string
		bucket               bool // the request is about the bucket, and not about the object
	}
	// In requests, ID is the upload and TAG is the ETag of its part.
	complete := request{
		method: http.MethodPost,
		target: "?uploadId=ID",
		body: "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>TAG</ETag></Part>" +
			"</CompleteMultipartUpload>",
	}
	put := request{method: http.MethodPut, body: "put"}
	versioning := func(status string) request {
		return request{
			method: http.MethodPut,
			bucket: true,
			target: "?versioning",
			body:   "<VersioningConfiguration><Status>" + status + "</Status></VersioningConfiguration>",
		}
	}
	enable := versioning("Enabled")
	suspend := versioning("Suspended")
	lifecycle := request{method: "lifecycle"}

	for _, tt := range []struct {
		name          string
		enabled       bool // the bucket has versions
		expired       bool // the object has expired by the lifecycle of the bucket
		first, second request
		after         []string // contents if both succeed; "" means that there is no object
	}{
		{name: "complete and complete", first: complete, second: complete, after: []string{"part"}},
		{name: "complete and put", first: complete, second: put, after: []string{"part", "put"}},
		{
			name:   "complete and abort",
			first:  complete,
			second: request{method: http.MethodDelete, target: "?uploadId=ID"},
			after:  []string{"part"},
		},
		{
			name:   "complete and delete",
			first:  complete,
			second: request{method: http.MethodDelete},
			after:  []string{"part", ""},
		},
		{
			name:   "put and delete",
			first:  put,
			second: request{method: http.MethodDelete},
			after:  []string{"put", ""},
		},
		{name: "put and versioning on", first: put, second: enable, after: []string{"put"}},
		{
			name:    "put and versioning off",
			enabled: true,
			first:   put,
			second:  suspend,
			after:   []string{"put"},
		},
		{
			name:   "delete and versioning on",
			first:  request{method: http.MethodDelete},
			second: enable,
			after:  []string{""},
		},
		{
			name:    "delete and versioning off",
			enabled: true,
			first:   request{method: http.MethodDelete},
			second:  suspend,
			after:   []string{""},
		},
		{name: "complete and versioning on", first: complete, second: enable, after: []string{"part"}},
		{name: "put and lifecycle", expired: true, first: put, second: lifecycle, after: []string{"put"}},
		{
			name:    "put and lifecycle with versions",
			enabled: true,
			expired: true,
			first:   put,
			second:  lifecycle,
			after:   []string{"put"},
		},
		{
			name:    "complete and lifecycle",
			expired: true,
			first:   complete,
			second:  lifecycle,
			after:   []string{"part"},
		},
		{
			name:    "delete and lifecycle with versions",
			enabled: true,
			expired: true,
			first:   request{method: http.MethodDelete},
			second:  lifecycle,
			after:   []string{""},
		},
		{
			name:   "put and tags",
			first:  put,
			second: request{method: http.MethodPut, target: "?tagging", body: "<Tagging><TagSet/></Tagging>"},
			after:  []string{"put"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := explored.Config()
			c.Weaknesses = interleave.Weaknesses()[:1] // the service is one in memory
			interleave.Run(t, c, func(s *interleave.Scene) {
				service := memstore.NewServiceDriver(memstore.ServiceConfig{})
				serve := func(service driver.ServiceDriver) *s3server.Handler {
					h := s3server.New(s3server.Config{
						Service: service,
						Limits:  s3server.Limits{MinPartSize: 1},
					})
					s.Cleanup(h.Close)
					return h
				}
				outside := serve(service)
				setup := s3server.BucketSetup{Name: "bucket", Policy: []byte(everything)}
				require.NoError(s, outside.SetUpBucket(s.Context(), setup))
				ask := func(method, target, body string) (text, tag string) {
					status, text, tag := askServer(s.Context(), outside, method, target, body)
					require.Less(s, status, 300, "%s %s: %s", method, target, text)
					return text, tag
				}
				if tt.enabled {
					ask(enable.method, enable.target, enable.body)
				}
				_, firstTag := ask(http.MethodPut, "/k", "first")
				firstTag = strings.Trim(firstTag, `"`)
				text, _ := ask(http.MethodPost, "/k?uploads", "")

				id := uploadIDs.FindStringSubmatch(text)
				require.Len(s, id, 2, text)
				_, tag := ask(http.MethodPut, "/k?partNumber=1&uploadId="+id[1], "part")
				fill := strings.NewReplacer("ID", id[1], "TAG", tag)
				if tt.expired {
					ask(http.MethodPut, "?lifecycle", expiring)
					time.Sleep(72 * time.Hour)
				}
				p := s.Process("server")
				h := serve(driver.ServiceWithLayers(service, p.Layer("bucket")))
				run := func(name string, r request) *interleave.Actor {
					return p.Go(name, func(ctx context.Context) error {
						if r.method == lifecycle.method {
							h.RunLifecycle()
							return nil
						}
						target := "/k" + fill.Replace(r.target)
						if r.bucket {
							target = r.target
						}
						status, text, _ := askServer(ctx, h, r.method, target, fill.Replace(r.body))
						if status >= 300 || strings.Contains(text, "<Error>") {
							return errors.New(text)
						}
						return nil
					})
				}
				x := run("x", tt.first)
				y := run("y", tt.second)
				s.Check(func() {
					status, text, _ := askServer(s.Context(), serve(service), http.MethodGet, "/k", "")
					if status == http.StatusNotFound {
						text = ""
					}
					if x.Err() == nil && y.Err() == nil && !p.Died() && !x.Lost() && !y.Lost() {
						require.Contains(s, tt.after, text)
					}
					require.Contains(s, []string{"first", "part", "put", ""}, text)
					if tt.enabled {
						_, versions, _ := askServer(s.Context(), serve(service), http.MethodGet,
							"?versions", "")
						require.Contains(s, versions, firstTag, "the first version is gone")
					}
				})
			})
		})
	}
}
