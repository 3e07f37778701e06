package files

import (
	"bytes"
	"context"
	"io"
	"strings"

	"github.com/omnibucket/storage"
)

// bounded is body, which fails behind Config.MaxSize bytes.
func (s *Store) bounded(body io.Reader) io.Reader {
	if s.config.MaxSize == 0 {
		return body
	}
	return bound(body, s.config.MaxSize, s.config.MaxSize, nil)
}

// bounded is the body of a part, which fails where all parts together would be
// larger than Config.MaxSize. A part of no more than its share is not the one to
// make them so: the others are asked for their sizes by larger ones alone.
func (u *partUpload) bounded(ctx context.Context, body io.Reader) (io.Reader, error) {
	limit := u.config.MaxSize
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

// others is how many bytes the parts have but for this one.
func (u *partUpload) others(ctx context.Context) (size int64, err error) {
	own := u.partKey(u.options.Part)
	for entry, err := range u.bucket.List(ctx, storage.WithPrefix(u.partsPrefix())) {
		if err != nil {
			return 0, err
		}
		if entry.Key != own {
			size += entry.Size
		}
	}
	return size, nil
}

// bound is body, which fails behind so many bytes. What can be read in place and
// is small enough stays what it is.
func bound(body io.Reader, allowed, limit int64, more func() (int64, error)) io.Reader {
	if left, known := lengthOf(body); known && left <= allowed {
		return body
	}
	return &boundedBody{body: body, left: max(0, allowed), limit: limit, more: more}
}

// lengthOf is known of what can be read in place, and of no type around one, which
// may read something else.
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
	// more is asked once, where left is used up, how many bytes there may be on
	// top; nil: none.
	more func() (int64, error)
}

// Read asks for one byte more than is allowed, to know whether there is one.
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
