package s3server_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/s3server"
)

// A slowService joins parts slowly. At its start, CompleteParts sends on the channel begun. Then it
// waits until the test sends on the channel release or closes it, or until the context of the call
// ends.
type slowService struct {
	driver.ServiceDriver
	begun, release chan struct{}
}

// newSlowService returns a slowService in memory. Its begun channel has room for two calls of CompleteParts,
// so that the second one does not block before the test sees it.
func newSlowService() slowService {
	return slowService{
		ServiceDriver: memstore.NewServiceDriver(memstore.ServiceConfig{}),
		begun:         make(chan struct{}, 2),
		release:       make(chan struct{}),
	}
}

func (s slowService) Driver(name string) (driver.Driver, error) {
	d, err := gateway{s.ServiceDriver}.Driver(name)
	return slowDriver{d, s}, err
}

type slowDriver struct {
	driver.Driver
	service slowService
}

// CompleteParts waits until the test releases it, or until the request ends.
func (d slowDriver) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	d.service.begun <- struct{}{}
	select {
	case <-d.service.release:
		return d.Driver.CompleteParts(ctx, r)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// CompleteMultipartUpload continues after its client has disconnected, because joining parts may take longer than a
// client waits.
func TestCompleteOutlivesClient(t *testing.T) {
	// The service reports when it begins to join parts, and then waits until the test releases it.
	service := newSlowService()
	s := startServer(t, s3server.Config{Service: service})
	upload := s.beginUpload(t, "k")
	input := completeInput("k", upload, s.uploadPart(t, "k", upload, 1, "content"))

	// The client disconnects while the store joins the parts.
	ctx, disconnect := context.WithCancel(t.Context())
	firstDone := make(chan error)
	go func() {
		_, err := s.CompleteMultipartUpload(ctx, input)
		firstDone <- err
	}()
	<-service.begun
	disconnect()
	require.ErrorIs(t, <-firstDone, context.Canceled)

	// The second attempt must wait for the first completion, and must not join the parts itself.
	secondDone := make(chan error)
	go func() {
		_, err := s.CompleteMultipartUpload(t.Context(), input)
		secondDone <- err
	}()

	// Let the first completion, which still waits in the service, join the parts.
	select {
	case <-service.begun:
		t.Error("the second attempt joins the parts again")
		close(service.release)
	case err := <-secondDone:
		t.Error("the second attempt does not wait", err)
	case service.release <- struct{}{}:
	}

	// The second attempt succeeds, because the first completion has joined the parts.
	require.NoError(t, <-secondDone)
	_, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
	require.NoError(t, err)
}

// Close ends a CompleteMultipartUpload that is still running.
func TestCompleteEndsWithServer(t *testing.T) {
	// The service reports when it begins to join parts, and then waits.
	service := newSlowService()
	s := startServer(t, s3server.Config{Service: service})
	upload := s.beginUpload(t, "k")
	input := completeInput("k", upload, s.uploadPart(t, "k", upload, 1, "content"))

	// Complete an upload. The service waits until the server is closed.
	done := make(chan error)
	go func() {
		_, err := s.CompleteMultipartUpload(t.Context(), input)
		done <- err
	}()
	<-service.begun

	s.server.Close()
	require.Error(t, <-done)
}

// withoutVersions is a layer that hides versions.
func withoutVersions(d driver.Driver) driver.Driver { return versionless{d} }

// A versionless describes itself as a store in the cloud that has no versions.
type versionless struct{ driver.Driver }

// Describe returns a description without versions.
func (d versionless) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Features &^= storage.Versioning
	desc.Provider = "cloud"
	desc.Versioned = false
	desc.Local = false
	return desc
}

// If a layer hides the store's versions, PutBucketVersioning fails with NotImplemented.
func TestVersioningHiddenByLayer(t *testing.T) {
	service := memstore.NewServiceDriver(memstore.ServiceConfig{})
	s := startServer(t, s3server.Config{Service: driver.ServiceWithLayers(service, withoutVersions)})

	_, err := s.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket:                  aws.String(bucket),
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	requireFailure(t, err, 501, "NotImplemented")
}
