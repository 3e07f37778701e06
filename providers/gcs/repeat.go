package gcs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/wire"
	"github.com/omnibucket/storage/internal/writeid"
)

// tokenHeader has the token of a change, the same with each attempt. Google's own clients send it,
// so that an attempt whose predecessor has made the change gets the response of that one. Which
// requests the service remembers, and for how long, is not documented: no outcome rests on it.
// googleapis/google-cloud-cpp#12347
const tokenHeader = "X-Goog-Gcs-Idempotency-Token"

// repeated returns a context whose requests have the token of one change of an operation. The parts
// must tell the change from others of the operation, so that requests that differ never share a
// token.
func repeated(ctx context.Context, parts ...string) context.Context {
	call := wire.Of(ctx)
	if call == nil {
		return ctx
	}
	sum := sha256.Sum256([]byte(strings.Join(append(parts, call.ID()), "\x00")))
	id := hex.EncodeToString(sum[:16])
	token := id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]
	return adding(ctx, http.Header{tokenHeader: {token}}, nil)
}

// repeatedPut returns the context of an upload in one request. Markers of uploads change within one
// operation, so that each attempt at one is a request of its own.
func (d *objectDriver) repeatedPut(ctx context.Context, r *driver.PutRequest) context.Context {
	if isReserved(r.Key) {
		return ctx
	}
	return repeated(ctx, "put", d.bucket.name, r.Key, r.Condition.Revision, strconv.FormatBool(r.Condition.Absent),
		r.Metadata[writeid.Key], strconv.FormatInt(r.Size, 10))
}

func (d *objectDriver) repeatedDelete(ctx context.Context, r *driver.DeleteRequest) context.Context {
	return repeated(ctx, "delete", d.bucket.name, r.Key, r.Version, r.Condition.Revision, strconv.FormatBool(r.BypassGovernance))
}
