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

// A judgedService counts the reads of the object k. After the first one, another client replaces the object
// by one of this kind, which is also its content.
type judgedService struct {
	driver.ServiceDriver
	next  string // "" for none
	reads int
}

func (s *judgedService) Driver(name string) (driver.Driver, error) {
	d, err := s.ServiceDriver.Driver(name)
	return judgedDriver{d, s}, err
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

func (d judgedDriver) read(ctx context.Context, r *driver.GetRequest, err error) error {
	if r.Key != "k" || err != nil {
		return err
	}
	d.service.reads++
	next := d.service.next
	if d.service.reads > 1 || next == "" {
		return nil
	}
	_, err = d.Put(ctx, &driver.PutRequest{Key: "k", Body: strings.NewReader(next), Size: int64(len(next)), Controls: storage.Controls{Tags: map[string]string{"kind": next}}})
	return err
}

// If an object is replaced between the policy's decision and the read, the server sends no object that the policy
// did not judge.
func TestPolicyJudgesObjectThatIsRead(t *testing.T) {
	public := allowing("s3:GetObject", inKeys, `{"StringNotEquals":{"s3:ExistingObjectTag/kind":"private"}}`)
	inMemory := func(*testing.T) driver.ServiceDriver {
		return gateway{memstore.NewServiceDriver(memstore.ServiceConfig{})}
	}
	onDirectory := func(t *testing.T) driver.ServiceDriver {
		service, err := local.NewServiceDriver(t.TempDir(), local.Config{NoSync: true})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, service.Close()) })
		return service
	}
	for _, row := range []struct {
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
		{"in a directory, one read finds, judges and sends it", onDirectory, "GET", "/photos/k", nil, "public", "", 200, 1},
		{"in a directory, one read describes it", onDirectory, "HEAD", "/photos/k", nil, "public", "", 200, 1},
		{"in a directory, what replaces it is not sent", onDirectory, "GET", "/photos/k", nil, "public", "private", 200, 1},
		{"in a directory, what replaces it is not copied", onDirectory, "PUT", "/photos/copy", map[string]string{"X-Amz-Copy-Source": "/photos/k"}, "public", "private", 503, 1},
		{"far away, what replaces it is judged", inMemory, "GET", "/photos/k", nil, "public", "private", 403, 2},
		{"far away, it is not described by the tags of what replaces it", inMemory, "HEAD", "/photos/k", nil, "private", "public", 200, 2},
		{"far away, it is not judged by the tags of what replaces it", inMemory, "GET", "/photos/k", nil, "private", "public", 200, 3},
		{"in a directory, it is not judged by the tags of what replaces it", onDirectory, "GET", "/photos/k", nil, "private", "public", 200, 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			service := &judgedService{ServiceDriver: row.service(t)}
			s := start(t, s3server.Config{Service: service, Credentials: twoAccounts, Buckets: []string{bucket}})
			s.openBucket(t)
			require.NoError(t, s.setPolicy(`{"Version":"2012-10-17","Statement":[`+public+","+allowing("s3:PutObject", inKeys, "")+`]}`))
			input := putInput("k", row.first)
			if row.first == "private" {
				input.Tagging = aws.String("kind=private")
			}
			_, err := s.PutObject(t.Context(), input)
			require.NoError(t, err)
			service.reads = 0
			service.next = row.next
			response, body := s.sendAs(t, nobody, row.method, row.path, "", row.header)
			require.Equal(t, row.status, response.StatusCode, body)
			require.NotContains(t, body, "private")
			require.Equal(t, row.reads, service.reads)
		})
	}
}
