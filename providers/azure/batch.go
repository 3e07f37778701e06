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

// canBatch reports whether the account may send batches. The credential must authorize each request
// of a batch, which a shared access signature of the container cannot do. Config.Client may have a
// credential that can.
func (a *account) canBatch() bool {
	if a.isBefore(batchVersion) {
		return false
	}
	return a.sharedKey != nil || a.token != nil || a.sdkClient != nil
}

// submit sends a batch. If the response cannot be read, the error is Unknown. submit recovers from
// a panic of the SDK, which occurs if the response names a request that is not in the batch.
func (rm *remover) submit(ctx context.Context, batch *container.BatchBuilder) ([]*container.BatchResponseItem, error) {
	var response *http.Response
	var resp container.SubmitBatchResponse

	err := translator.Write(rm.container.account.singleAttempt(ctx), func(ctx context.Context) (err error) {
		defer func() {
			if isAccepted(response) {
				if recover() != nil {
					_ = response.Body.Close()
					err = errUnreadable
				}
			}
		}()
		resp, err = rm.container.client.SubmitBatch(policy.WithCaptureResponse(ctx, &response), batch, nil)
		if err == nil {
			err = checkAnswer(response)
		}
		return err
	})
	if err == nil {
		return resp.Responses, nil
	}

	e := asError(err)
	if isAccepted(response) {
		if failure := batchError(err, response); failure != nil {
			return nil, failure
		}
		if e.Code == storage.Internal {
			// Replace this error, because the SDK's text contains the response.
			e = &storage.Error{Code: storage.Unavailable, Retryable: true, Hint: sdkerror.PageHint, Err: errUnreadable}
		}
		e.Unknown = true
	}
	return nil, e
}

func isAccepted(response *http.Response) bool {
	return response != nil && response.StatusCode == http.StatusAccepted
}

var errUnreadable = errors.New("the response to the batch cannot be read")

// batchError returns the error for a batch that the service accepted and then refused as a whole.
// Otherwise it returns nil. It parses the refusal from the text of the SDK's error, because the SDK
// keeps it nowhere else.
func batchError(err error, response *http.Response) *storage.Error {
	text := err.Error()
	i := strings.Index(text, "HTTP/1.1 ")
	if i < 0 {
		return nil
	}
	part, err := http.ReadResponse(bufio.NewReader(strings.NewReader(text[i:])), response.Request)
	if err != nil || part.StatusCode < http.StatusBadRequest {
		return nil
	}
	return translate(runtime.NewResponseError(part))
}

// assignResponses sets errs from the responses to a batch. The batch's request i is for
// r[slots[i]].
func (rm *remover) assignResponses(
	ctx context.Context, responses []*container.BatchResponseItem, slots []int, r []driver.DeleteRequest, errs []error,
) {
	isAssigned := make([]bool, len(slots))
	for _, response := range responses {
		if response.ContentID == nil || *response.ContentID < 0 || *response.ContentID >= len(slots) {
			continue
		}
		isAssigned[*response.ContentID] = true
		if response.Error != nil {
			slot := slots[*response.ContentID]
			errs[slot] = rm.deleteError(ctx, translate(response.Error), &r[slot])
		}
	}
	for i, slot := range slots {
		if !isAssigned[i] {
			errs[slot] = &storage.Error{
				Code:    storage.Unavailable,
				Unknown: true,
				Err:     errors.New("the response to the batch has no result for this object"),
			}
		}
	}
}
