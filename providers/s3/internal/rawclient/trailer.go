package rawclient

import (
	"errors"
	"io"
	"strconv"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/s3/internal/signature"
)

const (
	trailedChunk = 1 << 20 // bytes; MinIO accepts at most 16 MiB, and S3 requires at least 8 KiB
	trailerName  = "x-amz-checksum-crc32c"
	sumLength    = 8 // length of a CRC32C in base64
)

// A Trailed is a body with its checksum in a trailer after its bytes, because the checksum is known
// only when all bytes were read. It has the format of
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html.
type Trailed struct {
	body       io.Reader
	size       int64
	sum        func() *string // returns the checksum in base64; nil if it is not known
	remaining  int64          // bytes of body in chunks that were not begun yet
	chunk      int64          // bytes of the current chunk that were not read yet
	frame      []byte         // framing that must be sent before the bytes of the chunk
	isStarted  bool
	isFinished bool
}

// NewTrailed returns a body of the given size, which must be at least 1. The function sum is called
// when all bytes of the body have been read.
func NewTrailed(body io.Reader, size int64, sum func() *string) *Trailed {
	return &Trailed{body: body, size: size, sum: sum, remaining: size}
}

// length returns the number of bytes that Read delivers: the chunks with their framing, and the
// trailer.
func (t *Trailed) length() int64 {
	// All chunks have trailedChunk bytes, except for the last one, which has the rest.
	n := t.size / trailedChunk * framedSize(trailedChunk)
	if rest := t.size % trailedChunk; rest > 0 {
		n += framedSize(rest)
	}

	// An empty chunk ends the content. It has no second line break.
	n += framedSize(0) - int64(len("\r\n"))
	return n + int64(len(trailerName+":")+sumLength+len("\r\n\r\n"))
}

// framedSize returns the length of a chunk with its framing, which is its size in hex and two line
// breaks.
func framedSize(chunk int64) int64 {
	return int64(len(strconv.FormatInt(chunk, 16))) + chunk + int64(len("\r\n\r\n"))
}

// setHeaders sets the length and the headers of a request whose body is t.
func (t *Trailed) setHeaders(r *request) {
	r.size = t.length()
	r.sha256 = signature.UnsignedTrailer
	r.header.set("Content-Encoding", "aws-chunked")
	r.header.set("X-Amz-Decoded-Content-Length", strconv.FormatInt(t.size, 10))
	r.header.set("X-Amz-Trailer", trailerName)
}

// Read returns the body in chunks, each after its framing, and then the trailer with the checksum.
func (t *Trailed) Read(p []byte) (n int, err error) {
	for n < len(p) {
		// The framing of a chunk comes before its bytes.
		if len(t.frame) > 0 {
			copied := copy(p[n:], t.frame)
			t.frame = t.frame[copied:]
			n += copied
			continue
		}

		if t.isFinished {
			return n, io.EOF
		}
		if t.chunk == 0 {
			if err := t.nextChunk(); err != nil {
				return n, err
			}
			continue
		}

		// Read bytes of the current chunk, of which t.chunk remain. The caller gets the bytes of a slow
		// body without waiting for more.
		space := p[n:min(int64(len(p)), int64(n)+t.chunk)]
		count, err := t.readChunk(space)
		n += count
		if err != nil || count < len(space) {
			return n, err
		}
	}
	return n, nil
}

// readChunk reads bytes of the current chunk into p, which must not be longer than the rest of the
// chunk. At the end of the body, it fails with io.ErrUnexpectedEOF if bytes are missing.
func (t *Trailed) readChunk(p []byte) (n int, err error) {
	n, err = t.body.Read(p)
	t.chunk -= int64(n)
	if err != io.EOF {
		return n, err
	}

	// The body has ended. It is complete if no byte of this chunk and of later chunks is missing.
	missing := t.chunk + t.remaining
	if missing > 0 {
		return n, io.ErrUnexpectedEOF
	}
	return n, nil
}

// nextChunk begins the next chunk with its framing: the size in hex, between line breaks. After the
// last chunk, it makes the empty chunk and the trailer, which end the body.
func (t *Trailed) nextChunk() error {
	// A line break ends the chunk before.
	t.frame = t.frame[:0]
	if t.isStarted {
		t.frame = append(t.frame, "\r\n"...)
	}

	// A chunk begins with its size. Only the last chunk is empty.
	t.isStarted = true
	t.chunk = min(t.remaining, trailedChunk)
	t.remaining -= t.chunk
	t.frame = strconv.AppendInt(t.frame, t.chunk, 16)
	t.frame = append(t.frame, "\r\n"...)
	isLast := t.chunk == 0
	if !isLast {
		return nil
	}

	// All bytes were read, so the checksum is known.
	sum := t.sum()
	if sum == nil {
		return &storage.Error{Code: storage.Internal, Err: errors.New("the part has ended without a checksum")}
	}
	t.frame = append(t.frame, trailerName+":"+*sum+"\r\n\r\n"...)
	t.isFinished = true
	return nil
}
