package gcs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/metadata"
	"github.com/omnibucket/storage/internal/serving"
)

// tokenHeader is the header with an idempotency token, which all attempts at one change share.
// Google's own clients send it: if an earlier attempt has made the change, a later attempt receives
// the response to the earlier one. Google does not document which requests the service remembers,
// and for how long. So no result here depends on the header. googleapis/google-cloud-cpp#12347
const tokenHeader = "X-Goog-Gcs-Idempotency-Token"

// changeToken returns the idempotency token for one change in the operation of ctx, or "" if ctx
// belongs to no operation. parts must distinguish the change from all other changes of the
// operation, so that different requests never share a token.
func changeToken(ctx context.Context, parts ...string) string {
	call := serving.CallOf(ctx)
	if call == nil {
		return ""
	}
	text := make([]byte, 0, 512) // enough for most keys
	for _, part := range parts {
		text = append(text, part...)
		text = append(text, 0) // it separates the parts
	}
	text = append(text, call.ID()...)
	sum := sha256.Sum256(text)

	// The token has the form of a UUID.
	id := hex.AppendEncode(make([]byte, 0, 32), sum[:16])
	return string(id[:8]) + "-" + string(id[8:12]) + "-" + string(id[12:16]) + "-" + string(id[16:20]) + "-" + string(id[20:])
}

// withIdempotencyToken returns a context whose requests all carry the idempotency token of one
// change.
func withIdempotencyToken(ctx context.Context, parts ...string) context.Context {
	if token := changeToken(ctx, parts...); token != "" {
		return withRequestFields(ctx, http.Header{tokenHeader: {token}}, nil)
	}
	return ctx
}

// putToken returns the idempotency token of an upload in one request. A marker has none, because
// one operation may write a marker several times with different content.
func (d *objectDriver) putToken(ctx context.Context, r *driver.PutRequest) string {
	if isReserved(r.Key) {
		return ""
	}
	return changeToken(ctx, "put", d.bucket.name, r.Key, r.Condition.Revision, strconv.FormatBool(r.Condition.Absent),
		r.Metadata[metadata.WriteIDName], strconv.FormatInt(r.Size, 10))
}

func (d *objectDriver) repeatedDelete(ctx context.Context, r *driver.DeleteRequest) context.Context {
	return withIdempotencyToken(ctx, "delete", d.bucket.name, r.Key, r.Version, r.Condition.Revision,
		strconv.FormatBool(r.BypassGovernance))
}
