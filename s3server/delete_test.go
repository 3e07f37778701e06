package s3server_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/s3server"
)

// DeleteObject applies the condition of its header If-Match.
func TestConditionsOfDelete(t *testing.T) {
	const currentETag = "ETAG" // stands for the entity tag of the object k
	tests := []struct {
		name       string
		key        string
		ifMatch    string
		wantStatus int
		wantCode   string
	}{
		{name: "no condition", key: "k"},
		{name: "no condition, no object", key: "none"},
		{name: "current entity tag", key: "k", ifMatch: currentETag},
		{name: "any entity tag", key: "k", ifMatch: "*"},
		{name: "other entity tag", key: "k", ifMatch: `"x"`, wantStatus: 412, wantCode: "PreconditionFailed"},
		{name: "entity tag, no object", key: "none", ifMatch: `"x"`, wantStatus: 404, wantCode: "NoSuchKey"},
		{name: "any entity tag, no object", key: "none", ifMatch: "*", wantStatus: 404, wantCode: "NoSuchKey"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startServer(t, s3server.Config{})
			etag := s.put(t, "k", "content")
			input := &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: &tt.key}
			if tt.ifMatch != "" {
				input.IfMatch = &tt.ifMatch
			}
			if tt.ifMatch == currentETag {
				input.IfMatch = &etag
			}

			_, err := s.DeleteObject(t.Context(), input)

			if tt.wantCode == "" {
				require.NoError(t, err)
				return
			}
			requireFailure(t, err, tt.wantStatus, tt.wantCode)
			require.Equal(t, []string{"k"}, s.keys(t))
		})
	}
}

// DeleteObjects returns a result for each of at most 1000 keys, or only the errors if the request is quiet.
func TestDeleteObjectsResults(t *testing.T) {
	const (
		maxKeys   = 1000
		wrongETag = `"x"`
	)
	s := startServer(t, s3server.Config{})
	for _, key := range everyKey {
		s.put(t, key, "x")
	}
	deleteObjects := func(request *types.Delete) (*s3.DeleteObjectsOutput, error) {
		return s.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{
			Bucket: aws.String(bucket),
			Delete: request,
		})
	}

	// The two keys with a condition fail. The missing key has no condition, and counts as deleted.
	output, err := deleteObjects(&types.Delete{Objects: []types.ObjectIdentifier{
		{Key: aws.String("a")},
		{Key: aws.String("a/b"), ETag: aws.String(wrongETag)},
		{Key: aws.String("none")},
		{Key: aws.String("none"), ETag: aws.String(wrongETag)},
		{Key: aws.String("é")},
		{Key: aws.String(`quote"'<>`)},
	}})
	require.NoError(t, err)
	require.Len(t, output.Deleted, 4)
	require.Len(t, output.Errors, 2)
	require.Equal(t, "PreconditionFailed", *output.Errors[0].Code)
	require.Equal(t, "a/b", *output.Errors[0].Key)
	require.Equal(t, "NoSuchKey", *output.Errors[1].Code)

	// A quiet request returns only errors, of which there are none.
	output, err = deleteObjects(&types.Delete{
		Quiet:   aws.Bool(true),
		Objects: []types.ObjectIdentifier{{Key: aws.String("a-b")}},
	})
	require.NoError(t, err)
	require.Empty(t, output.Deleted)

	// A batch has at most 1000 keys.
	tooMany := slices.Repeat([]types.ObjectIdentifier{{Key: aws.String("k")}}, maxKeys+1)
	_, err = deleteObjects(&types.Delete{Objects: tooMany})
	requireFailure(t, err, 400, "MalformedXML")
}

// A meetingService is a service whose deletions wait for each other. Each waits until as many have
// begun as the test has added to barrier. Its drivers are those of a gateway.
type meetingService struct {
	driver.ServiceDriver
	barrier *sync.WaitGroup
}

type meetingDriver struct {
	driver.Driver
	barrier *sync.WaitGroup
}

func (s meetingService) Driver(name string) (driver.Driver, error) {
	d, err := gateway{s.ServiceDriver}.Driver(name)
	return meetingDriver{Driver: d, barrier: s.barrier}, err
}

// Delete waits for the other deletions. Deletions of the server's own records have other keys, and do not wait.
func (d meetingDriver) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	if strings.HasPrefix(r.Key, "key ") {
		d.barrier.Done()
		d.barrier.Wait()
	}
	return d.Driver.Delete(ctx, r)
}

// DeleteObjects deletes several keys at the same time. In this test, the store lets no deletion end before all have
// begun.
func TestDeleteObjectsAtOnce(t *testing.T) {
	const keys = 16
	var barrier sync.WaitGroup
	barrier.Add(keys)
	memory := memstore.NewServiceDriver(memstore.ServiceConfig{})
	s := startServer(t, s3server.Config{
		Service: meetingService{ServiceDriver: memory, barrier: &barrier},
	})

	var objects []types.ObjectIdentifier
	for i := range keys {
		key := fmt.Sprint("key ", i)
		s.put(t, key, "x")
		objects = append(objects, types.ObjectIdentifier{Key: &key})
	}

	// If the deletions were one after the other, the first would wait forever.
	output, err := s.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{
		Bucket: aws.String(bucket),
		Delete: &types.Delete{Objects: objects},
	})

	require.NoError(t, err)
	require.Len(t, output.Deleted, keys)
	require.Empty(t, s.keys(t))
}
