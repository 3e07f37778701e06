package s3server_test

import (
	"context"
	"fmt"
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

// DeleteObject applies the conditions of its headers.
func TestConditionsOfDelete(t *testing.T) {
	tests := map[string]struct {
		key, match string
		status     int
		code       string
	}{
		"present":                 {key: "k"},
		"absent":                  {key: "none"},
		"the same":                {key: "k", match: "ETAG"},
		"anything":                {key: "k", match: "*"},
		"another":                 {key: "k", match: `"x"`, status: 412, code: "PreconditionFailed"},
		"absent, with a revision": {key: "none", match: `"x"`, status: 404, code: "NoSuchKey"},
		"absent, anything":        {key: "none", match: "*", status: 404, code: "NoSuchKey"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := start(t, s3server.Config{})
			etag := s.put(t, "k", "content")
			input := &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: &tt.key}
			if tt.match != "" {
				input.IfMatch = aws.String(strings.ReplaceAll(tt.match, "ETAG", etag))
			}
			_, err := s.DeleteObject(t.Context(), input)
			if tt.code == "" {
				require.NoError(t, err)
				return
			}

			requireFailure(t, err, tt.status, tt.code)
			require.Equal(t, []string{"k"}, s.keys(t))
		})
	}
}

// DeleteObjects returns a result for each key.
func TestDeleteObjectsResults(t *testing.T) {
	s := start(t, s3server.Config{})
	for _, key := range everyKey {
		s.put(t, key, "x")
	}

	object := func(key, etag string) types.ObjectIdentifier {
		o := types.ObjectIdentifier{Key: &key}
		if etag != "" {
			o.ETag = &etag
		}
		return o
	}

	output, err := s.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String(bucket), Delete: &types.Delete{Objects: []types.ObjectIdentifier{
		object("a",
			""), object("a/b", `"x"`), object("none", ""), object("none", `"x"`), object("é", ""), object("quote\"'<>", ""),
	}}})
	require.NoError(t, err)
	require.Len(t, output.Deleted, 4)
	require.Len(t, output.Errors, 2)
	require.Equal(t, "PreconditionFailed", *output.Errors[0].Code)
	require.Equal(t, "a/b", *output.Errors[0].Key)
	require.Equal(t, "NoSuchKey", *output.Errors[1].Code)

	quiet, err := s.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String(bucket), Delete: &types.Delete{
		Quiet:   aws.Bool(true),
		Objects: []types.ObjectIdentifier{object("a-b", "")},
	}})
	require.NoError(t, err)
	require.Empty(t, quiet.Deleted)

	var many []types.ObjectIdentifier
	for range 1001 {
		many = append(many, object("k", ""))
	}
	_, err = s.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{
		Bucket: aws.String(bucket),
		Delete: &types.Delete{Objects: many},
	})
	requireFailure(t, err, 400, "MalformedXML")
}

// A meetingService deletes objects of users when all have come.
type meetingService struct {
	driver.ServiceDriver
	all *sync.WaitGroup
}

type meetingDriver struct {
	driver.Driver
	all *sync.WaitGroup
}

func (s meetingService) Driver(name string) (driver.Driver, error) {
	d, err := gateway{s.ServiceDriver}.Driver(name)
	return meetingDriver{d, s.all}, err
}

func (d meetingDriver) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	if strings.HasPrefix(r.Key, "key ") {
		d.all.Done()
		d.all.Wait()
	}
	return d.Driver.Delete(ctx, r)
}

// DeleteObjects deletes several keys at the same time. Otherwise this test would not end.
func TestDeleteObjectsAtOnce(t *testing.T) {
	var all sync.WaitGroup
	s := start(t, s3server.Config{
		Service: meetingService{memstore.NewServiceDriver(memstore.ServiceConfig{}), &all},
	})
	var batch []types.ObjectIdentifier
	for i := range 16 {
		key := fmt.Sprint("key ", i)
		s.put(t, key, "x")
		batch = append(batch, types.ObjectIdentifier{Key: &key})
	}
	all.Add(len(batch))

	output, err := s.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{
		Bucket: aws.String(bucket),
		Delete: &types.Delete{Objects: batch},
	})
	require.NoError(t, err)
	require.Len(t, output.Deleted, len(batch))
	require.Empty(t, s.keys(t))
}
