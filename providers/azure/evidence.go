package azure

import (
	"bytes"
	"context"
	"encoding/xml"
	"net/http"
	"syscall"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/sdkerror"
)

// The SDK accepts any response with a successful status. But a proxy, a captive portal or a wrong
// endpoint may send status 200 to every request. So a successful response must also have the header
// or element that the service documents for the request. Every response of the service has a
// request id.

const requestIDHeader = "X-Ms-Request-Id"

// An expectedResponse is what a genuine response to one kind of request has, in addition to the request id.
type expectedResponse struct {
	header string // name of a header; "" if there is none
	root   string // root element of the document; "" if the response has none
}

// A requestKind is what distinguishes the kinds of requests: the method, and the query parameters
// restype and comp.
type requestKind struct{ method, restype, comp string }

// expectedResponses has the expected response to each kind of request. The response to any other request
// has only the request id.
//
// https://learn.microsoft.com/rest/api/storageservices/operations-on-blobs
// https://learn.microsoft.com/rest/api/storageservices/operations-on-containers
var expectedResponses = map[requestKind]expectedResponse{
	{http.MethodGet, "", ""}:                          {header: "ETag"}, // Get Blob
	{http.MethodHead, "", ""}:                         {header: "ETag"}, // Get Blob Properties
	{http.MethodPut, "", ""}:                          {header: "ETag"}, // Put Blob, Copy Blob From URL
	{http.MethodPut, "", "blocklist"}:                 {header: "ETag"},
	{http.MethodGet, "", "blocklist"}:                 {root: "BlockList"},
	{http.MethodGet, "", "tags"}:                      {root: "Tags"},
	{http.MethodPut, "", "legalhold"}:                 {header: "X-Ms-Legal-Hold"},
	{http.MethodPut, "", "immutabilityPolicies"}:      {header: "X-Ms-Immutability-Policy-Until-Date"},
	{http.MethodGet, "container", "list"}:             {root: "EnumerationResults"},
	{http.MethodGet, "", "list"}:                      {root: "EnumerationResults"}, // lists containers
	{http.MethodGet, "container", ""}:                 {header: "ETag"},
	{http.MethodPut, "container", ""}:                 {header: "ETag"},
	{http.MethodGet, "container", "acl"}:              {header: "ETag", root: "SignedIdentifiers"},
	{http.MethodPut, "container", "acl"}:              {header: "ETag"},
	{http.MethodGet, "service", "properties"}:         {root: "StorageServiceProperties"},
	{http.MethodPost, "service", "userdelegationkey"}: {root: "UserDelegationKey"},
}

// send makes one request with the SDK. It verifies that a successful response is the service's.
func send[O, T any](ctx context.Context, a *account, request func(context.Context, *O) (T, error), o *O) (T, error) {
	var response *http.Response
	output, err := request(policy.WithCaptureResponse(a.singleAttempt(ctx), &response), o)
	return output, verify(response, err)
}

// write makes one request that changes something, with the method request of the SDK and its options o.
// It translates the error, which is marked as Unknown if the request may have had an effect.
func write[O, T any](
	ctx context.Context, a *account, request func(context.Context, *O) (T, error), o *O,
) (out T, err error) {
	err = translator.Write(ctx, func(ctx context.Context) (err error) {
		out, err = send(ctx, a, request, o)
		return err
	})
	return out, err
}

func nextPage[T any](ctx context.Context, a *account, pager *runtime.Pager[T]) (T, error) {
	return send(ctx, a, func(ctx context.Context, _ *struct{}) (T, error) { return pager.NextPage(ctx) }, nil)
}

// verify returns err, or the reason why a successful response is not from the service.
func verify(response *http.Response, err error) error {
	if response == nil || responseOf(err) != nil {
		return err // there is no response, or the service has reported an error
	}
	if responseErr := checkResponse(response); responseErr != nil {
		return responseErr
	}
	return err
}

// checkResponse returns an error if a successful response is not from the service but, for example, from
// a proxy. Such a response lacks the header or the document that the service documents for the request
// (see expectedResponses). checkResponse returns ObjectNotFound for a directory, which is not an object,
// and nil for a status that is not a success.
func checkResponse(response *http.Response) error {
	if response.StatusCode < http.StatusOK || response.StatusCode >= http.StatusMultipleChoices {
		return nil
	}

	query := response.Request.URL.Query()
	kind := requestKind{
		method:  response.Request.Method,
		restype: query.Get("restype"),
		comp:    query.Get("comp"),
	}
	want := expectedResponses[kind]
	if err := checkHeaders(response, want.header); err != nil {
		return err
	}
	if response.Header.Get("X-Ms-Resource-Type") == "directory" {
		return &storage.Error{
			Code:      storage.ObjectNotFound,
			Status:    http.StatusNotFound,
			RequestID: response.Header.Get(requestIDHeader),
			Err:       errDirectory,
		}
	}

	if want.root == "" {
		return nil
	}
	return checkDocument(response, want.root)
}

// checkHeaders returns an error if the response has no request id, or lacks the header with this name. If
// name is "", no other header is needed. A response with a part of a blob must also have the range.
func checkHeaders(response *http.Response, name string) error {
	for _, wantName := range []string{requestIDHeader, name} {
		if wantName != "" && response.Header.Get(wantName) == "" {
			return noEvidence(response, "it has no "+wantName)
		}
	}
	if response.StatusCode == http.StatusPartialContent && response.Header.Get("Content-Range") == "" {
		return noEvidence(response, "it does not say which part of the blob it is")
	}
	return nil
}

// checkDocument returns an error if the document in the response, which the SDK has read before, has
// another root element.
func checkDocument(response *http.Response, root string) error {
	document, err := runtime.Payload(response)
	if err != nil {
		// The document could not be read, which the SDK reports.
		return nil
	}
	if rootOf(document) != root {
		return noEvidence(response, "its document is not "+root)
	}
	return nil
}

// errDirectory is the error for a directory of a hierarchical namespace, which the service returns
// as an empty blob. With EISDIR, storage.FS recognizes the directory.
var errDirectory = &responseError{
	code:    "BlobNotFound",
	message: "the account has a directory of this name",
	sdk:     syscall.EISDIR,
}

// noEvidence returns the error for a response that is not from the service, with its status and its
// request id.
func noEvidence(response *http.Response, reason string) *storage.Error {
	err := sdkerror.NoEvidence("Azure Blob Storage", reason)
	err.Status = response.StatusCode
	err.RequestID = response.Header.Get(requestIDHeader)
	return err
}

// rootOf returns the name of a document's root element, or "" if there is none.
func rootOf(document []byte) string {
	d := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(document, []byte("\ufeff"))))
	for {
		token, err := d.Token()
		if err != nil {
			return ""
		}
		if root, ok := token.(xml.StartElement); ok {
			return root.Name.Local
		}
	}
}
