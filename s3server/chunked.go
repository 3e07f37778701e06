package s3server

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

// These values of x-amz-content-sha256 are no hashes.
const (
	unsignedPayload        = "UNSIGNED-PAYLOAD"
	unsignedTrailer        = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	signedChunks           = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	signedChunksAndTrailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
)

const (
	emptyHash        = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	minChunk         = 8192 // of every chunk but the last, in bytes
	trailerSignature = "x-amz-trailer-signature"
)

func isChunked(payload string) bool { return strings.HasPrefix(payload, "STREAMING-") }

// A chunkedReader decodes aws-chunked. Its bytes are valid only after io.EOF, because
// the signature of a chunk is checked at its end.
type chunkedReader struct {
	in      *bufio.Reader
	caller  caller
	signed  bool
	wants   []string    // announced trailers, in lower case
	trailer http.Header // complete at the end

	left      int64 // of the current chunk, in bytes
	short     bool  // the previous chunk was so small that it must be the last
	signature string
	hash      hash.Hash // of the chunk, if it is signed
	previous  string    // signature of the previous chunk
	err       error
}

func newChunkedReader(body io.Reader, c caller, wants []string) *chunkedReader {
	return &chunkedReader{
		in:       bufio.NewReader(body),
		caller:   c,
		signed:   c.payload == signedChunks || c.payload == signedChunksAndTrailer,
		wants:    wants,
		trailer:  http.Header{},
		hash:     sha256.New(),
		previous: c.signature,
	}
}

func (c *chunkedReader) Read(p []byte) (int, error) {
	if c.err == nil && c.left == 0 {
		c.err = c.next()
	}
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.in.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	if c.signed {
		c.hash.Write(p[:n])
	}
	if err != nil {
		c.err = cutShort(err)
	} else if c.left == 0 {
		c.err = c.endChunk()
	}
	if n > 0 {
		return n, nil // the next Read returns the error
	}
	return n, c.err
}

// next reads the head of a chunk. It returns io.EOF after the last chunk and its
// trailers.
func (c *chunkedReader) next() error {
	line, err := c.line()
	if err != nil {
		return err
	}
	size, extension, _ := strings.Cut(line, ";")
	n, err := strconv.ParseInt(size, 16, 64)
	if err != nil || n < 0 {
		return s3error.New("IncompleteBody").WithMessage("The chunk header %q is not well-formed", line)
	}
	c.signature = ""
	if c.signed {
		var found bool
		if c.signature, found = strings.CutPrefix(extension, "chunk-signature="); !found {
			return s3error.New("SignatureDoesNotMatch").WithMessage("A chunk has no signature")
		}
	}
	if n > 0 && c.short {
		return s3error.New("InvalidChunkSizeError")
	}
	c.left, c.short = n, n < minChunk
	c.hash.Reset()
	if n > 0 {
		return nil
	}
	if err := c.checkChunk(); err != nil {
		return err
	}
	return c.readTrailer()
}

// endChunk reads the end of a chunk.
func (c *chunkedReader) endChunk() error {
	line, err := c.line()
	if err != nil {
		return err
	}
	if line != "" {
		return s3error.New("IncompleteBody").WithMessage("A chunk is longer than its header says")
	}
	return c.checkChunk()
}

func (c *chunkedReader) checkChunk() error {
	if !c.signed {
		return nil
	}
	text := strings.Join([]string{
		algorithm + "-PAYLOAD", c.caller.timestamp, c.caller.scope.String(), c.previous, emptyHash,
		hex.EncodeToString(c.hash.Sum(nil)),
	}, "\n")
	want := hexMAC(c.caller.key, text)
	if !equalMACs(want, c.signature) {
		return s3error.New("SignatureDoesNotMatch", "StringToSign", text, "SignatureProvided", c.signature)
	}
	c.previous = want
	return nil
}

// readTrailer reads the lines after the last chunk, up to an empty one.
func (c *chunkedReader) readTrailer() error {
	var signedLines strings.Builder
	signature := ""
	for {
		line, err := c.trailerLine()
		if errors.Is(err, io.ErrUnexpectedEOF) && c.caller.payload == signedChunks {
			break // a body without trailers may end with the line of the last chunk
		}
		if err != nil {
			return err
		}
		if line == "" {
			break
		}
		name, value, found := strings.Cut(line, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		switch {
		case found && name == trailerSignature:
			signature = value
			continue
		case !found || signature != "" || !slices.Contains(c.wants, name) || c.trailer.Get(name) != "":
			return s3error.New("MalformedTrailerError")
		}
		c.trailer.Set(name, value)
		signedLines.WriteString(name + ":" + value + "\n")
	}
	if len(c.trailer) != len(c.wants) {
		return s3error.New("MalformedTrailerError")
	}
	if err := c.checkTrailer(signedLines.String(), signature); err != nil {
		return err
	}
	if _, err := c.in.ReadByte(); err != io.EOF {
		return s3error.New("IncompleteBody").WithMessage("The body continues after its end")
	}
	return io.EOF
}

func (c *chunkedReader) checkTrailer(lines, signature string) error {
	if c.caller.payload != signedChunksAndTrailer {
		if signature != "" {
			return s3error.New("MalformedTrailerError")
		}
		return nil
	}
	text := strings.Join([]string{
		algorithm + "-TRAILER", c.caller.timestamp, c.caller.scope.String(), c.previous, hexSHA256(lines),
	}, "\n")
	if !equalMACs(hexMAC(c.caller.key, text), signature) {
		return s3error.New("SignatureDoesNotMatch", "StringToSign", text, "SignatureProvided", signature)
	}
	return nil
}

// line returns one line without its end.
func (c *chunkedReader) line() (string, error) {
	line, err := c.rawLine()
	if err != nil {
		return "", err
	}
	text, found := strings.CutSuffix(line, "\r\n")
	if !found {
		return "", s3error.New("IncompleteBody").WithMessage("A line of the body does not end in CRLF")
	}
	return text, nil
}

// trailerLine also accepts LF CRLF as the end: a trailer is signed with its LF, and
// minio-go sends both.
func (c *chunkedReader) trailerLine() (string, error) {
	line, err := c.rawLine()
	if err != nil {
		return "", err
	}
	if text, found := strings.CutSuffix(line, "\r\n"); found {
		return text, nil
	}
	if _, err := c.line(); err != nil {
		return "", err
	}
	return strings.TrimSuffix(line, "\n"), nil
}

func (c *chunkedReader) rawLine() (string, error) {
	line, err := c.in.ReadSlice('\n')
	return string(line), cutShort(err)
}

func cutShort(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
