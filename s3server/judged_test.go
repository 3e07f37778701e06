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

// A judgedService counts the reads of the object k. After the first read, another client replaces the object by one
// with the content next and a tag of the same value.
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

// If an object is replaced between the policy's decision and the read, the server sends no object that the policy
// did not judge.
func TestPolicyJudgesObjectThatIsRead(t *testing.T) {
	public := allowStatement("s3:GetObject", inKeys, `{"StringNotEquals":{"s3:ExistingObjectTag/kind":"private"}}`)
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
		name    string
		service func(*testing.T) driver.ServiceDriver
		method  string
		path    string
		header  map[string]string
		first   string // what the object is, and by what another client replaces it
		next    string
		status  int
		reads   int
	}{
		{
			name:    "in a directory, one read finds, judges and sends it",
			service: onDirectory,
			method:  "GET",
			path:    "/photos/k",
			first:   "public",
			status:  200,
			reads:   1,
		},
		{
			name:    "in a directory, one read describes it",
			service: onDirectory,
			method:  "HEAD",
			path:    "/photos/k",
			first:   "public",
			status:  200,
			reads:   1,
		},
		{
			name:    "in a directory, what replaces it is not sent",
			service: onDirectory,
			method:  "GET",
			path:    "/photos/k",
			first:   "public",
			next:    "private",
			status:  200,
			reads:   1,
		},
		{
			name:    "in a directory, what replaces it is not copied",
			service: onDirectory,
			method:  "PUT",
			path:    "/photos/copy",
			header:  map[string]string{"X-Amz-Copy-Source": "/photos/k"},
			first:   "public",
			next:    "private",
			status:  503,
			reads:   1,
		},
		{
			name:    "far away, what replaces it is judged",
			service: inMemory,
			method:  "GET",
			path:    "/photos/k",
			first:   "public",
			next:    "private",
			status:  403,
			reads:   2,
		},
		{
			name:    "far away, it is not described by the tags of what replaces it",
			service: inMemory,
			method:  "HEAD",
			path:    "/photos/k",
			first:   "private",
			next:    "public",
			status:  200,
			reads:   2,
		},
		{
			name:    "far away, it is not judged by the tags of what replaces it",
			service: inMemory,
			method:  "GET",
			path:    "/photos/k",
			first:   "private",
			next:    "public",
			status:  200,
			reads:   3,
		},
		{
			name:    "in a directory, it is not judged by the tags of what replaces it",
			service: onDirectory,
			method:  "GET",
			path:    "/photos/k",
			first:   "private",
			next:    "public",
			status:  200,
			reads:   2,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			service := &judgedService{ServiceDriver: tt.service(t)}
			s := startServer(t, s3server.Config{
				Service:     service,
				Credentials: twoAccounts,
				Buckets:     []string{bucket},
			})
			s.allowPublicAccess(t)
			require.NoError(t,
				s.setPolicy(policy2012(public, allowStatement("s3:PutObject", inKeys, ""))))
			input := putInput("k", tt.first)
			if tt.first == "private" {
				input.Tagging = aws.String("kind=private")
			}
			_, err := s.PutObject(t.Context(), input)
			require.NoError(t, err)
			service.reads = 0
			service.next = tt.next

			response, body := s.sendAs(t, nobody, tt.method, tt.path, "", tt.header)
			require.Equal(t, tt.status, response.StatusCode, body)
			require.NotContains(t, body, "private")
			require.Equal(t, tt.reads, service.reads)
		})
	}
}
