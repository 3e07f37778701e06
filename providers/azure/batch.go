package azure

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/sdkerror"
)

// batchVersion is the first service version that accepts a batch request to one container.
// https://learn.microsoft.com/rest/api/storageservices/blob-batch
const batchVersion = "2020-04-08"

// canBatch reports whether the account may send batches. Its credential must authorize each request
// of a batch, as that of Config.Client may, and as a shared access signature of the container
// cannot.
func (a *account) canBatch() bool {
	if a.isBefore(batchVersion) {
		return false
	}
	return a.sharedKey != nil || a.token != nil || a.sdkClient != nil
}

// submit sends a batch of removals. If the service has accepted the batch but its response cannot be
// read, the error is marked as Unknown, because the objects may have been removed.
func (rm *remover) submit(ctx context.Context, batch *container.BatchBuilder) ([]*container.BatchResponseItem, error) {
	var resp container.SubmitBatchResponse
	var httpResp *http.Response
	err := translator.Write(rm.container.account.singleAttempt(ctx), func(ctx context.Context) (err error) {
		resp, httpResp, err = rm.requestBatch(ctx, batch)
		return err
	})
	if err == nil {
		return resp.Responses, nil
	}

	if !isAccepted(httpResp) {
		return nil, asError(err)
	}
	return nil, acceptedBatchError(err, httpResp)
}

// acceptedBatchError returns the error for a batch that the service accepted, although the SDK
// returned err. If the response refuses the whole batch, that refusal is the error. Otherwise the
// error is marked as Unknown, because the service may have removed objects.
func acceptedBatchError(err error, response *http.Response) error {
	if refusal := batchError(err, response); refusal != nil {
		return refusal
	}

	storageErr := asError(err)
	if storageErr.Code == storage.Internal {
		// Replace this error, because the SDK's text contains the response.
		storageErr = &storage.Error{Code: storage.Unavailable, Retryable: true, Hint: sdkerror.PageHint, Err: errUnreadable}
	}
	storageErr.Unknown = true
	return storageErr
}

// requestBatch makes the request of a batch. httpResp is the response that the SDK has parsed, or nil if
// none was received. It returns errUnreadable if the SDK panics, as it does if the response names a
// request that is not in the batch.
func (rm *remover) requestBatch(
	ctx context.Context, batch *container.BatchBuilder,
) (resp container.SubmitBatchResponse, httpResp *http.Response, err error) {
	defer func() {
		// The SDK parses only an accepted response. Any other panic is a programming error and continues.
		if !isAccepted(httpResp) {
			return
		}
		if recover() != nil {
			// errUnreadable already tells that the response is lost.
			_ = httpResp.Body.Close()
			err = errUnreadable
		}
	}()

	resp, err = rm.container.client.SubmitBatch(policy.WithCaptureResponse(ctx, &httpResp), batch, nil)
	if err != nil {
		return resp, httpResp, err
	}
	return resp, httpResp, checkResponse(httpResp)
}

// isAccepted reports whether response has status 202, with which the service accepts a batch.
func isAccepted(response *http.Response) bool {
	return response != nil && response.StatusCode == http.StatusAccepted
}

var errUnreadable = errors.New("the response to the batch cannot be read")

// batchError returns the error for a batch that the service accepted and then refused as a whole,
// or nil if it did not refuse the batch. The refusal is a whole HTTP response in the body of the
// accepted one. It must be parsed from the text of the SDK's error, because the SDK keeps it nowhere else.
func batchError(err error, response *http.Response) *storage.Error {
	// A response begins with its status line.
	const statusLine = "HTTP/1.1 "
	text := err.Error()
	start := strings.Index(text, statusLine)
	if start < 0 {
		return nil
	}
	refusal, err := http.ReadResponse(bufio.NewReader(strings.NewReader(text[start:])), response.Request)
	if err != nil || refusal.StatusCode < http.StatusBadRequest {
		return nil
	}
	return translate(runtime.NewResponseError(refusal))
}

// assignResponses sets errs, which has an element for each element of reqs, from the responses to a
// batch. The batch's request i is for reqs[indexes[i]]. A request without a response gets an
// Unknown error.
func (rm *remover) assignResponses(
	ctx context.Context, responses []*container.BatchResponseItem, indexes []int, reqs []driver.DeleteRequest,
	errs []error,
) {
	hasResponse := make([]bool, len(indexes))
	for _, response := range responses {
		// The content id is the number of the request in the batch.
		id := response.ContentID
		if id == nil || *id < 0 || *id >= len(indexes) {
			continue
		}
		hasResponse[*id] = true
		if response.Error != nil {
			index := indexes[*id]
			errs[index] = rm.deleteError(ctx, translate(response.Error), &reqs[index])
		}
	}

	for i, index := range indexes {
		if !hasResponse[i] {
			errs[index] = &storage.Error{
				Code:    storage.Unavailable,
				Unknown: true,
				Err:     errors.New("the response to the batch has no result for this object"),
			}
		}
	}
}
