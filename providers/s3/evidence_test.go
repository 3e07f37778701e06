package s3

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// An evidenceCall is one call to the driver. If a write gets a response that may come from another
// server, its outcome is unknown.
type evidenceCall struct {
	name        string
	isWrite     bool
	anyDocument bool // servers may send any XML document as its response
	do          func(ctx context.Context, d *objectDriver) error
}

var evidenceCalls = []evidenceCall{
	{
		name:    "Put",
		isWrite: true,
		do: func(ctx context.Context, d *objectDriver) error {
			_, err := d.Put(ctx, wiretest.Put("k", "hello"))
			return err
		},
	},
	{
		name: "PutPart",
		do: func(ctx context.Context, d *objectDriver) error {
			_, err := d.PutPart(ctx, &driver.PartRequest{
				Key:    "k",
				Upload: "u",
				Number: 1,
				Body:   strings.NewReader("hello"),
				Size:   5,
			})
			return err
		},
	},
	{
		name: "Begin",
		do: func(ctx context.Context, d *objectDriver) error {
			_, err := d.BeginParts(ctx, wiretest.Put("k", "hello"))
			return err
		},
	},
	{
		name:    "Complete",
		isWrite: true,
		do: func(ctx context.Context, d *objectDriver) error {
			_, err := d.CompleteParts(ctx, &driver.CompleteRequest{
				Put:    &driver.PutRequest{Key: "k"},
				Upload: "u",
				Parts:  []driver.Part{{Number: 1, Tag: etag}},
			})
			return err
		},
	},
	{
		name:    "Copy",
		isWrite: true,
		do: func(ctx context.Context, d *objectDriver) error {
			_, err := d.Copy(ctx, &driver.CopyRequest{
				Key:    "k",
				Source: driver.ObjectRef{Bucket: "photos", Key: "from", Revision: etag},
			})
			return err
		},
	},
	{
		name:        "Delete",
		isWrite:     true,
		anyDocument: true,
		do: func(ctx context.Context, d *objectDriver) error {
			return d.Delete(ctx, &driver.DeleteRequest{Key: "k"})
		},
	},
	{
		name:    "DeleteBatch",
		isWrite: true,
		do: func(ctx context.Context, d *objectDriver) error {
			return d.DeleteBatch(ctx, []driver.DeleteRequest{{Key: "k"}})[0]
		},
	},
	{
		name:        "SetTags",
		isWrite:     true,
		anyDocument: true,
		do: func(ctx context.Context, d *objectDriver) error {
			return d.SetTags(ctx, &driver.ChangeRequest{Key: "k"})
		},
	},
	{
		name:        "SetRetention",
		isWrite:     true,
		anyDocument: true,
		do: func(ctx context.Context, d *objectDriver) error {
			return d.SetRetention(ctx, &driver.ChangeRequest{Key: "k"})
		},
	},
	{
		name:        "SetLegalHold",
		isWrite:     true,
		anyDocument: true,
		do: func(ctx context.Context, d *objectDriver) error {
			return d.SetLegalHold(ctx, &driver.ChangeRequest{Key: "k"})
		},
	},
	{
		name: "Tags",
		do: func(ctx context.Context, d *objectDriver) error {
			_, err := d.Tags(ctx, &driver.GetRequest{Key: "k"})
			return err
		},
	},
	{
		name:        "Head",
		anyDocument: true,
		do: func(ctx context.Context, d *objectDriver) error {
			_, err := d.Head(ctx, &driver.GetRequest{Key: "k", Length: -1})
			return err
		},
	},
	{
		name:        "Get",
		anyDocument: true,
		do: func(ctx context.Context, d *objectDriver) error {
			_, err := d.getAttrs(ctx, &driver.GetRequest{Key: "k", Length: -1})
			return err
		},
	},
	{
		name: "ListUploads",
		do: func(ctx context.Context, d *objectDriver) error {
			_, err := d.ListUploads(ctx, &driver.ListUploadsRequest{Limit: 1})
			return err
		},
	},
	{
		name: "ListParts",
		do: func(ctx context.Context, d *objectDriver) error {
			_, err := d.ListParts(ctx, &driver.ListPartsRequest{Key: "k", Upload: "u", Limit: 1})
			return err
		},
	},
	{
		name: "Versions",
		do: func(ctx context.Context, d *objectDriver) error {
			_, err := d.ListVersions(ctx, &driver.ListRequest{Limit: 1})
			return err
		},
	},
	{
		name: "List",
		do: func(ctx context.Context, d *objectDriver) error {
			_, err := d.List(ctx, &driver.ListRequest{Limit: 1})
			return err
		},
	},
}

// Each call fails with Unavailable if the response has status 200 and no sign of S3. The login page
// of a network is such a response. The outcome of a write is then unknown.
func TestResponseWithoutEvidence(t *testing.T) {
	for name, response := range responsesWithoutEvidence {
		for _, call := range evidenceCalls {
			t.Run(call.name+", "+name, func(t *testing.T) {
				requireRefused(t, call, response)
			})
		}
	}
}

// A call also fails if the response has a header of S3, but the document of another protocol. Calls
// for which servers may send any document are left out: the content of an object, for example, can
// be any document.
func TestResponseWithAnotherDocument(t *testing.T) {
	response := reply{
		Header: map[string]string{"X-Amz-Request-Id": "R1"},
		Body:   "<Welcome></Welcome>",
	}
	for _, call := range evidenceCalls {
		if call.anyDocument {
			continue
		}
		t.Run(call.name, func(t *testing.T) {
			requireRefused(t, call, response)
		})
	}
}

// requireRefused requires that a call fails with Unavailable for a response, and that the outcome of a write is unknown.
func requireRefused(t *testing.T, call evidenceCall, response reply) {
	t.Helper()
	server := &standIn{wiretest.NewServer(t, response)}
	err := call.do(t.Context(), server.openDriver(t, "aws"))
	require.ErrorIs(t, err, storage.Unavailable)
	require.Equal(t, call.isWrite, errors.Is(err, storage.OutcomeUnknown))
}

// responsesWithoutEvidence are responses whose content shows that they do not come from S3.
var responsesWithoutEvidence = map[string]reply{
	"a login page":     {Body: "<html><body>Log in</body></html>"},
	"JSON":             {Body: "{}"},
	"nothing":          {},
	"another document": {Body: "<Welcome></Welcome>"},
	"a page of CloudFront": {
		Header: map[string]string{"X-Amz-Cf-Id": "x", "X-Amz-Cf-Pop": "FRA56-P1"},
		Body:   "<html></html>",
	},
	"a login page with a header of the protocol": {
		Header: map[string]string{"X-Amz-Request-Id": "R1", "Content-Type": "text/html"},
		Body:   "<html><body>Log in</body></html>",
	},
	"JSON with a header of the protocol": {
		Header: map[string]string{"X-Amz-Request-Id": "R1", "Content-Type": "application/json"},
		Body:   "{}",
	},
	"a page of API Gateway": {
		Header: map[string]string{"X-Amz-Apigw-Id": "x", "X-Amzn-Requestid": "x"},
		Body:   `{"message":"Forbidden"}`,
	},
}
