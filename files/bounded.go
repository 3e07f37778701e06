package files

import (
	"bytes"
	"context"
	"io"
	"strings"

	"github.com/omnibucket/storage"
)

// bounded returns a reader of body that fails after Config.MaxSize bytes.
func (s *Store) bounded(body io.Reader) io.Reader {
	if s.config.MaxSize == 0 {
		return body
	}
	return bound(body, s.config.MaxSize, s.config.MaxSize, nil)
}

// bounded returns a reader of a part that fails if all parts together would be larger
// than Config.MaxSize. Only a part that is larger than its share needs the sizes of
// the others.
func (u *partUpload) bounded(ctx context.Context, body io.Reader) (io.Reader, error) {
	limit := u.store.config.MaxSize
	if limit == 0 {
		return body, nil
	}
	share := limit / int64(u.options.Count)
	if left, known := lengthOf(body); known && left > share {
		others, err := u.others(ctx)
		if err != nil {
			return nil, err
		}
		return bound(body, limit-others, limit, nil), nil
	}
	return bound(body, share, limit, func() (int64, error) {
		others, err := u.others(ctx)
		return limit - others - share, err
	}), nil
}

// others returns the size of all parts but this one.
func (u *partUpload) others(ctx context.Context) (size int64, err error) {
	own := u.partKey(u.options.Part)
	for entry, err := range u.store.bucket.List(ctx, storage.WithPrefix(u.partsPrefix())) {
		if err != nil {
			return 0, err
		}
		if entry.Key != own {
			size += entry.Size
		}
	}
	return size, nil
}

// bound returns a reader of body that fails after the allowed bytes. A body that is
// in memory and small enough is returned unchanged.
func bound(body io.Reader, allowed, limit int64, more func() (int64, error)) io.Reader {
	if left, known := lengthOf(body); known && left <= allowed {
		return body
	}
	return &boundedBody{body: body, left: max(0, allowed), limit: limit, more: more}
}

// lengthOf knows the length of readers in memory. It does not look into a type that
// wraps one, which may read something else.
func lengthOf(body io.Reader) (left int64, known bool) {
	switch b := body.(type) {
	case *bytes.Reader:
		return int64(b.Len()), true
	case *strings.Reader:
		return int64(b.Len()), true
	case *bytes.Buffer:
		return int64(b.Len()), true
	}
	return 0, false
}

type boundedBody struct {
	body        io.Reader
	left, limit int64
	// more is called once, when left is used up, and returns how many more bytes are
	// allowed; nil: none.
	more func() (int64, error)
}

// Read reads one byte more than is allowed, to know whether there is one.
func (b *boundedBody) Read(p []byte) (int, error) {
	if int64(len(p))-1 > b.left {
		p = p[:b.left+1]
	}
	n, err := b.body.Read(p)
	b.left -= int64(n)
	if b.left < 0 && b.more != nil {
		more, failure := b.more()
		if failure != nil {
			return 0, toError(failure)
		}
		b.left, b.more = b.left+more, nil
	}
	if b.left < 0 {
		return 0, tooLargeError(b.limit)
	}
	return n, err
}
