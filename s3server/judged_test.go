package s3server_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/s3server"
)

// A judgedService counts the reads of the object k. After the first read, another client replaces
// the object. The text in next is the new object's content, and also the value of its tag.
type judgedService struct {
	driver.ServiceDriver
	next  string // "" for none
	reads int
}

func (s *judgedService) Driver(name string) (driver.Driver, error) {
	d, err := s.ServiceDriver.Driver(name)
	return judgedDriver{Driver: d, service: s}, err
}

type judgedDriver struct {
	driver.Driver
	service *judgedService
}

func (d judgedDriver) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	a, err := d.Driver.Head(ctx, r)
	return a, d.read(ctx, r, err)
}

func (d judgedDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	a, body, err := d.Driver.Get(ctx, r)
	return a, body, d.read(ctx, r, err)
}

// read replaces the object k after it was read for the first time, if a next content is set.
func (d judgedDriver) read(ctx context.Context, r *driver.GetRequest, err error) error {
	if r.Key != "k" || err != nil {
		return err
	}
	d.service.reads++
	next := d.service.next
	isFirst := d.service.reads == 1
	if !isFirst || next == "" {
		return nil
	}
	_, err = d.Put(ctx, &driver.PutRequest{
		Key:      "k",
		Body:     strings.NewReader(next),
		Size:     int64(len(next)),
		Controls: storage.Controls{Tags: map[string]string{"kind": next}},
	})
	return err
}

// The server sends an object only if the policy allows this very object. This holds even if another
// client replaces the object between the decision and the read. In a directory, the server has
// opened the file of the old object. In a remote store, it can only read the new one.
func TestPolicyJudgesObjectThatIsRead(t *testing.T) {
	// Everybody may write objects, and read all except those with the tag kind=private.
	allowPublic := allowStatement("s3:GetObject", inKeys,
		`{"StringNotEquals":{"s3:ExistingObjectTag/kind":"private"}}`)
	inMemory := func(*testing.T) driver.ServiceDriver {
		return gateway{memstore.NewServiceDriver(memstore.ServiceConfig{})}
	}
	onDirectory := func(t *testing.T) driver.ServiceDriver {
		service, err := local.NewServiceDriver(t.TempDir(), local.Config{NoSync: true})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, service.Close()) })
		return service
	}

	tests := []struct {
		name        string
		service     func(*testing.T) driver.ServiceDriver
		method      string
		path        string
		header      map[string]string
		object      string // the content and the tag of the object
		replacement string // those of the object that replaces it after the first read; "" if none does
		wantStatus  int
		wantReads   int // of the object by the server
	}{
		{
			name:       "directory, GET without replacement",
			service:    onDirectory,
			method:     "GET",
			path:       "/photos/k",
			object:     "public",
			wantStatus: 200,
			wantReads:  1,
		},
		{
			name:       "directory, HEAD without replacement",
			service:    onDirectory,
			method:     "HEAD",
			path:       "/photos/k",
			object:     "public",
			wantStatus: 200,
			wantReads:  1,
		},
		{
			name:        "directory, public object replaced by a private one",
			service:     onDirectory,
			method:      "GET",
			path:        "/photos/k",
			object:      "public",
			replacement: "private",
			wantStatus:  200,
			wantReads:   1,
		},
		{
			name:        "directory, source of a copy replaced by a private one",
			service:     onDirectory,
			method:      "PUT",
			path:        "/photos/copy",
			header:      map[string]string{"X-Amz-Copy-Source": "/photos/k"},
			object:      "public",
			replacement: "private",
			wantStatus:  503,
			wantReads:   1,
		},
		{
			name:        "remote store, public object replaced by a private one",
			service:     inMemory,
			method:      "GET",
			path:        "/photos/k",
			object:      "public",
			replacement: "private",
			wantStatus:  403,
			wantReads:   2,
		},
		{
			name:        "remote store, private object replaced by a public one, HEAD",
			service:     inMemory,
			method:      "HEAD",
			path:        "/photos/k",
			object:      "private",
			replacement: "public",
			wantStatus:  200,
			wantReads:   2,
		},
		{
			name:        "remote store, private object replaced by a public one",
			service:     inMemory,
			method:      "GET",
			path:        "/photos/k",
			object:      "private",
			replacement: "public",
			wantStatus:  200,
			wantReads:   3,
		},
		{
			name:        "directory, private object replaced by a public one",
			service:     onDirectory,
			method:      "GET",
			path:        "/photos/k",
			object:      "private",
			replacement: "public",
			wantStatus:  200,
			wantReads:   2,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The bucket has the object and the policy.
			service := &judgedService{ServiceDriver: tt.service(t)}
			s := startServer(t, s3server.Config{
				Service:     service,
				Credentials: twoAccounts,
				Buckets:     []string{bucket},
			})
			s.allowPublicAccess(t)
			require.NoError(t,
				s.setPolicy(policy2012(allowPublic, allowStatement("s3:PutObject", inKeys, ""))))
			input := putInput("k", tt.object)
			if tt.object == "private" {
				input.Tagging = aws.String("kind=private")
			}
			_, err := s.PutObject(t.Context(), input)
			require.NoError(t, err)

			// From now on, count the reads, and replace the object after the first one.
			service.reads = 0
			service.next = tt.replacement

			response, body := s.sendAs(t, nobody, tt.method, tt.path, "", tt.header)
			require.Equal(t, tt.wantStatus, response.StatusCode, body)
			require.NotContains(t, body, "private")
			require.Equal(t, tt.wantReads, service.reads)
		})
	}
}
