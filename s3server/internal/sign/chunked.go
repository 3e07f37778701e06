package sign

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// These are the values of x-amz-content-sha256 that are not hashes of the body.
const (
	UnsignedPayload        = "UNSIGNED-PAYLOAD"
	UnsignedTrailer        = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	SignedChunks           = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	SignedChunksAndTrailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
)

const (
	emptyHash        = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	minChunk         = 8192 // minimum number of bytes of a chunk, except the last
	trailerSignature = "x-amz-trailer-signature"
)

// IsChunked reports whether a body with this value of x-amz-content-sha256 has the encoding
// aws-chunked.
func IsChunked(payload string) bool { return strings.HasPrefix(payload, "STREAMING-") }

// A Seal is the verified signature of a request and its signing key. The signatures of the body's
// chunks depend on both.
type Seal struct {
	Payload   string // the value of x-amz-content-sha256
	Timestamp string
	Scope     Scope
	Key       []byte // the signing key
	Signature string
}

// A Reader decodes a body with the encoding aws-chunked. The decoded bytes are verified only when
// Read returns io.EOF, because the signature of a chunk is checked at the end of the chunk.
type Reader struct {
	src      *bufio.Reader
	seal     Seal
	isSigned bool
	trailers []string    // names of the announced trailers, in lower case
	Trailer  http.Header // complete when Read returns io.EOF

	remaining int64 // unread bytes of the current chunk
	isShort   bool  // true if the previous chunk had less than minChunk bytes, so no chunk may follow
	signature string
	hash      hash.Hash // hash of the current chunk, if chunks are signed
	previous  string    // signature of the previous chunk
	err       error
}

// NewReader returns a reader that decodes a chunked body. The trailers after the last chunk may only
// have the names in trailers, which are in lower case.
func NewReader(body io.Reader, seal Seal, trailers []string) *Reader {
	return &Reader{
		src:      bufio.NewReader(body),
		seal:     seal,
		isSigned: seal.Payload == SignedChunks || seal.Payload == SignedChunksAndTrailer,
		trailers: trailers,
		Trailer:  http.Header{},
		hash:     sha256.New(),
		previous: seal.Signature,
	}
}

// Read reads bytes of one chunk. An error that comes with bytes is returned by the next call.
func (c *Reader) Read(p []byte) (int, error) {
	if c.err == nil && c.remaining == 0 {
		c.err = c.nextChunk()
	}
	if c.err != nil {
		return 0, c.err
	}

	// Do not read beyond the end of the chunk.
	n, err := c.src.Read(p[:min(int64(len(p)), c.remaining)])
	c.remaining -= int64(n)
	if c.isSigned {
		c.hash.Write(p[:n])
	}

	if err != nil {
		c.err = truncatedError(err)
	} else if c.remaining == 0 {
		c.err = c.endChunk()
	}
	if n > 0 {
		// The next Read returns the error.
		return n, nil
	}
	return 0, c.err
}

// nextChunk reads the header of the next chunk, which has the chunk's size and signature. After the last chunk, it
// reads the trailers and returns io.EOF.
func (c *Reader) nextChunk() error {
	line, err := c.line()
	if err != nil {
		return err
	}
	hexSize, extension, _ := strings.Cut(line, ";")
	size, err := strconv.ParseUint(hexSize, 16, 63)
	if err != nil {
		return s3error.New("IncompleteBody").WithMessage("The chunk header %q is not well-formed", line)
	}
	isLast := size == 0

	// The signature is checked at the end of the chunk, and only if chunks are signed.
	signature, hasSignature := strings.CutPrefix(extension, "chunk-signature=")
	if c.isSigned && !hasSignature {
		return s3error.New("SignatureDoesNotMatch").WithMessage("A chunk has no signature")
	}
	c.signature = signature

	// Only the chunk before the last, empty one may be short.
	if c.isShort && !isLast {
		return s3error.New("InvalidChunkSizeError")
	}
	c.remaining = int64(size)
	c.isShort = size < minChunk
	c.hash.Reset()
	if !isLast {
		return nil
	}

	if err := c.checkChunk(); err != nil {
		return err
	}
	return c.readTrailer()
}

// endChunk reads the end of line after a chunk, and verifies the chunk's signature.
func (c *Reader) endChunk() error {
	line, err := c.line()
	if err != nil {
		return err
	}
	if line != "" {
		return s3error.New("IncompleteBody").WithMessage("A chunk is longer than its header says")
	}
	return c.checkChunk()
}

// checkChunk verifies the signature of the current chunk, if chunks are signed. Each signature covers
// that of the previous chunk, so that chunks cannot be reordered.
func (c *Reader) checkChunk() error {
	if !c.isSigned {
		return nil
	}

	text := strings.Join([]string{
		Algorithm + "-PAYLOAD", c.seal.Timestamp, c.seal.Scope.String(), c.previous, emptyHash,
		hex.EncodeToString(c.hash.Sum(nil)),
	}, "\n")
	want := HexMAC(c.seal.Key, text)
	if !Equal(want, c.signature) {
		return s3error.New("SignatureDoesNotMatch", "StringToSign", text, "SignatureProvided", c.signature)
	}
	c.previous = want
	return nil
}

// readTrailer reads the trailers after the last chunk, up to an empty line. It returns io.EOF if they
// are valid.
func (c *Reader) readTrailer() error {
	var signedLines strings.Builder
	signature := ""
	for {
		line, err := c.trailerLine()
		if errors.Is(err, io.ErrUnexpectedEOF) && c.seal.Payload == SignedChunks {
			// Without trailers, the empty line may be missing.
			break
		}
		if err != nil {
			return err
		}
		if line == "" {
			break
		}

		name, value, hasColon := strings.Cut(line, ":")
		if !hasColon {
			return s3error.New("MalformedTrailerError")
		}
		name = strings.ToLower(strings.TrimSpace(name))
		value = strings.TrimSpace(value)
		if name == trailerSignature {
			signature = value
			continue
		}

		// The signature covers the other trailers, so none comes after it.
		hasSignature := signature != ""
		isAnnounced := slices.Contains(c.trailers, name)
		isRepeated := c.Trailer.Get(name) != ""
		if hasSignature || !isAnnounced || isRepeated {
			return s3error.New("MalformedTrailerError")
		}
		c.Trailer.Set(name, value)
		signedLines.WriteString(name + ":" + value + "\n")
	}

	// All announced trailers must have arrived.
	if len(c.Trailer) != len(c.trailers) {
		return s3error.New("MalformedTrailerError")
	}
	if err := c.checkTrailer(signedLines.String(), signature); err != nil {
		return err
	}
	_, err := c.src.ReadByte()
	if err != io.EOF {
		return s3error.New("IncompleteBody").WithMessage("The body continues after its end")
	}
	return io.EOF
}

// checkTrailer verifies the signature of the trailers, whose names and values are in lines. If the
// request has announced no signed trailers, the signature must be "".
func (c *Reader) checkTrailer(lines, signature string) error {
	if c.seal.Payload != SignedChunksAndTrailer {
		if signature != "" {
			return s3error.New("MalformedTrailerError")
		}
		return nil
	}

	text := strings.Join([]string{
		Algorithm + "-TRAILER", c.seal.Timestamp, c.seal.Scope.String(), c.previous, hexSHA256(lines),
	}, "\n")
	if !Equal(HexMAC(c.seal.Key, text), signature) {
		return s3error.New("SignatureDoesNotMatch", "StringToSign", text, "SignatureProvided", signature)
	}
	return nil
}

// line reads a line that ends with CRLF, and returns it without the CRLF.
func (c *Reader) line() (string, error) {
	line, err := c.rawLine()
	if err != nil {
		return "", err
	}
	text, ok := strings.CutSuffix(line, "\r\n")
	if !ok {
		return "", s3error.New("IncompleteBody").WithMessage("A line of the body does not end in CRLF")
	}
	return text, nil
}

// trailerLine reads a line of the trailer, and returns it without its CRLF. It also accepts an LF before
// the CRLF, because minio-go sends one.
func (c *Reader) trailerLine() (string, error) {
	line, err := c.rawLine()
	if err != nil {
		return "", err
	}
	if text, ok := strings.CutSuffix(line, "\r\n"); ok {
		return text, nil
	}

	// The line ends with an LF alone, so the CRLF is the next line.
	rest, err := c.line()
	if err != nil {
		return "", err
	}
	if rest != "" {
		return "", s3error.New("MalformedTrailerError")
	}
	return strings.TrimSuffix(line, "\n"), nil
}

// rawLine reads a line, with its LF.
func (c *Reader) rawLine() (string, error) {
	line, err := c.src.ReadSlice('\n')
	return string(line), truncatedError(err)
}

// truncatedError returns err, with io.ErrUnexpectedEOF in place of io.EOF.
func truncatedError(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
