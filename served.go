package storage

import "github.com/omnibucket/storage/internal/serving"

var _ serving.Bucket = (*bucket)(nil)

// Served is for package serve: who tells it of the bucket, and where it answers.
// Like As it works neither through Ref nor through Prefixed, whose holder shall
// not reach the rest of the bucket.
func (b *bucket) Served(serving.Token) (origin any, name, baseURL string) {
	if b.mask != everything || b.prefix != "" || b.bad != nil || b.core.bad != nil {
		return nil, "", ""
	}
	return b.core.desc.Origin, b.core.desc.Bucket, b.core.signingBaseURL
}
