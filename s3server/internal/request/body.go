package request

import (
	"cmp"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/formpolicy"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/sign"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// A Body describes the body that a request's headers announce: its size and its checksums.
type Body struct {
	size     int64
	Sum      checksum.Sum   // checksum in a header; otherwise the computed checksum, after a call of check
	SentKind *checksum.Kind // kind of the checksum in a header or a trailer; nil if there is none
	Kind     *checksum.Kind // kind of the checksum to compute
	isNamed  bool           // true if x-amz-checksum-algorithm names the kind
	trailers []string       // names of the announced trailers, in lower case
	MD5      []byte         // value of Content-MD5; nil if there is none
	payload  string
}

// OpenBody returns a reader of the body, which fails at the end if the body does not match the headers.
// OpenBody itself fails with EntityTooLarge if the announced size exceeds the limit.
func (r *Request) OpenBody(b *Body, limit int64) (*state.Body, error) {
	if b.size > limit {
		return nil, TooLarge(b.size, limit)
	}

	src := io.Reader(r.HTTP.Body)
	trailer := http.Header{}
	if sign.IsChunked(b.payload) {
		chunked := sign.NewReader(r.HTTP.Body, r.Caller.Seal, b.trailers)
		src = chunked
		trailer = chunked.Trailer
	}

	// The payload is a keyword, or the SHA-256 of the body in hexadecimal.
	hasSHA256 := len(b.payload) == hex.EncodedLen(sha256.Size)
	digest := checksum.NewDigest(b.Kind, hasSHA256)
	return &state.Body{
		// Read one byte more than announced, to detect a body that is too long.
		From:   io.TeeReader(io.LimitReader(src, b.size+1), digest),
		Size:   b.size,
		Digest: digest,
		// Check is called at the end of the body, when the trailer has been read, too.
		Check: func() error {
			if digest.Size != b.size {
				return s3error.New("IncompleteBody").
					WithMessage("The request body is not the announced %d bytes long", b.size)
			}
			return b.check(digest, trailer)
		},
	}, nil
}

// TooLarge returns the error of a body with more bytes than limit.
func TooLarge(size, limit int64) *s3error.Error {
	return s3error.New("EntityTooLarge", "ProposedSize", strconv.FormatInt(size, 10), "MaxSizeAllowed",
		strconv.FormatInt(limit, 10))
}

// ExpectBody reads the headers that describe the body: its size, hash, checksum and trailers.
func (r *Request) ExpectBody() (*Body, error) {
	b := &Body{payload: r.Caller.Seal.Payload, size: r.HTTP.ContentLength}
	if err := b.readPayload(r); err != nil {
		return nil, err
	}
	if err := b.readSums(r.HTTP.Header); err != nil {
		return nil, err
	}
	if err := b.readTrailers(r.HTTP.Header.Get("X-Amz-Trailer")); err != nil {
		return nil, err
	}
	return b, b.resolveChecksum(r.HTTP.Header)
}

// readTrailers reads the names of the trailers, which are headers after the body, that the header X-Amz-Trailer
// announces.
func (b *Body) readTrailers(names string) error {
	b.SentKind = b.Sum.Kind
	if names == "" && b.payload == sign.SignedChunksAndTrailer {
		return s3error.New("MalformedTrailerError")
	}
	if names == "" {
		// STREAMING-UNSIGNED-PAYLOAD-TRAILER permits a trailer, but like S3 does not require one.
		return nil
	}

	// One of the trailers may be a checksum, whose kind must be known before the body.
	var announced []string
	for name := range strings.SplitSeq(names, ",") {
		announced = append(announced, strings.ToLower(strings.TrimSpace(name)))
	}
	kind, err := checksum.Announced(announced)
	if err != nil {
		return err
	}

	// The AWS SDK for Java v2 announces a trailer, but sends the checksum in a header. S3 accepts that.
	isInHeader := b.payload == sign.SignedChunks && kind == b.Sum.Kind
	if isInHeader {
		return nil
	}
	mayHaveTrailer := b.payload == sign.UnsignedTrailer || b.payload == sign.SignedChunksAndTrailer
	if !mayHaveTrailer {
		return s3error.New("InvalidRequest").
			WithMessage("x-amz-trailer is set, but x-amz-content-sha256 announces no trailer")
	}
	if b.Sum.Kind != nil {
		return checksum.MultipleChecksums()
	}

	b.trailers = announced
	b.SentKind = kind
	return nil
}

// readSums reads the MD5 digest and the checksum of the body from the headers.
func (b *Body) readSums(header http.Header) error {
	if values := header.Values("Content-Md5"); len(values) > 0 {
		digest, err := base64.StdEncoding.DecodeString(values[0])
		if err != nil || len(digest) != md5.Size {
			return s3error.New("InvalidDigest", "Content-MD5", values[0])
		}
		b.MD5 = digest
	}

	sum, err := checksum.OfHeader(header)
	if err != nil {
		return err
	}
	if sum.Kind != nil && !sum.Kind.Valid(sum.Value) {
		return s3error.New("InvalidRequest").
			WithMessage("Value for x-amz-checksum-%s header is invalid.", sum.Kind.Label())
	}
	b.Sum = sum
	return nil
}

// readPayload checks the header x-amz-content-sha256. If the body is chunked, readPayload takes the size without the
// chunk headers from X-Amz-Decoded-Content-Length.
func (b *Body) readPayload(r *Request) error {
	if !isPayload(b.payload) {
		return s3error.New("InvalidArgument", "ArgumentName", "x-amz-content-sha256", "ArgumentValue", b.payload).
			WithMessage(
				"x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
			)
	}
	if !sign.IsChunked(b.payload) {
		if b.size < 0 {
			return s3error.New("MissingContentLength")
		}
		return nil
	}

	size, err := strconv.ParseUint(r.HTTP.Header.Get("X-Amz-Decoded-Content-Length"), 10, 63)
	if err != nil {
		// The header is missing or no number, for both of which S3 has one error.
		return s3error.New("MissingContentLength")
	}
	b.size = int64(size)
	return nil
}

// isPayload reports whether value is valid for x-amz-content-sha256: one of the constants of package
// sign, or a hash in lower case.
func isPayload(value string) bool {
	switch value {
	case sign.UnsignedPayload, sign.UnsignedTrailer, sign.SignedChunks, sign.SignedChunksAndTrailer:
		return true
	}
	raw, err := hex.DecodeString(value)
	return err == nil && len(raw) == sha256.Size && strings.ToLower(value) == value
}

// resolveChecksum selects the kind of checksum to compute for the body, and fails if headers name
// different kinds.
func (b *Body) resolveChecksum(header http.Header) error {
	kind, err := requestedKind(header, b.SentKind)
	if err != nil {
		return err
	}
	b.Kind = kind
	b.isNamed = header.Get(checksum.AlgorithmHeader) != ""

	name := header.Get(checksum.SDKAlgorithmHeader)
	if name == "" {
		return nil
	}
	if b.SentKind == nil {
		return s3error.New("InvalidRequest").WithMessage(
			"x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.",
		)
	}
	if checksum.ByName(name) != kind {
		return s3error.New("InvalidRequest").WithMessage("Value for x-amz-sdk-checksum-algorithm header is invalid.")
	}
	return nil
}

// requestedKind returns the kind of checksum that S3 stores for an object that is not a multipart
// upload. bodyKind is the kind of the checksum in the request, or nil if there is none.
func requestedKind(header http.Header, bodyKind *checksum.Kind) (*checksum.Kind, error) {
	if checksumType := header.Get(checksum.TypeHeader); checksumType != "" && checksumType != checksum.FullObject {
		return nil, s3error.New("InvalidRequest").WithMessage("Value for x-amz-checksum-type header is invalid.")
	}

	name := header.Get(checksum.AlgorithmHeader)
	if name == "" {
		return cmp.Or(bodyKind, checksum.Default), nil
	}
	kind, err := checksum.Named(name)
	if err != nil {
		return nil, err
	}
	if bodyKind != nil && bodyKind != kind {
		return nil, s3error.New("InvalidRequest").
			WithMessage("Value for x-amz-checksum-algorithm header is invalid.")
	}
	return kind, nil
}

// check fails if the received body does not have the digests in the headers and the trailer.
func (b *Body) check(d *checksum.Digest, trailer http.Header) error {
	// Each hash is checked only if the client has sent one.
	if d.SHA256 != nil {
		if got := hex.EncodeToString(d.SHA256.Sum(nil)); got != b.payload {
			return s3error.New("XAmzContentSHA256Mismatch", "ClientComputedContentSHA256", b.payload,
				"S3ComputedContentSHA256", got)
		}
	}
	if b.MD5 != nil {
		if got := d.MD5.Sum(nil); string(got) != string(b.MD5) {
			return s3error.New(
				"BadDigest", "ExpectedDigest", base64.StdEncoding.EncodeToString(b.MD5), "CalculatedDigest",
				base64.StdEncoding.EncodeToString(got),
			)
		}
	}

	sent, err := b.sentChecksum(trailer)
	if err != nil {
		return err
	}
	if sent != "" && sent != d.Sum().Value {
		return BadChecksum(b.Kind)
	}
	b.Sum = d.Sum()
	return nil
}

// sentChecksum returns the checksum of the body in the header, or else in the trailer, or "" if the client
// has sent none. It fails if the trailer does not have the checksum that was announced.
func (b *Body) sentChecksum(trailer http.Header) (string, error) {
	isInHeader := b.Sum.Kind != nil
	if isInHeader {
		return b.Sum.Value, nil
	}
	sent := trailer.Get(b.Kind.Header)

	// The checksum is not in a header, so one that was given is in the trailer.
	isAnnounced := b.SentKind != nil
	if isAnnounced && !b.Kind.Valid(sent) {
		return "", s3error.New("InvalidRequest").
			WithMessage("Value for x-amz-checksum-%s trailing header is invalid.", b.Kind.Label())
	}
	return sent, nil
}

// HasDigest reports whether the request has a digest or a checksum of the body.
func (b *Body) HasDigest() bool { return b.SentKind != nil || b.MD5 != nil }

// CheckKind fails if the client named a checksum algorithm for the upload, and a part has a checksum of
// another algorithm, or none although the upload's checksum is composite. Any other part without a
// checksum gets the upload's algorithm.
func (b *Body) CheckKind(u *state.Upload) error {
	if u.HasAlgorithm && !b.fits(u) {
		actual := "null" // AWS's word for no checksum
		if b.SentKind != nil {
			actual = b.SentKind.Label()
		}
		return s3error.New("InvalidRequest").WithMessage(
			"Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s",
			u.Kind.Label(), actual,
		)
	}
	if b.SentKind == nil {
		b.Kind = u.Kind
	}
	return nil
}

// fits reports whether a part with this body fits into an upload for which the client named a checksum
// algorithm.
func (b *Body) fits(u *state.Upload) bool {
	if b.isNamed && b.Kind != u.Kind {
		return false
	}
	if b.SentKind == nil {
		return u.Covers != checksum.Composite
	}
	return b.SentKind == u.Kind
}

// NeedDigest fails if the request has neither Content-MD5 nor a checksum of its body, in a header or in a trailer.
func NeedDigest(r *Request) error {
	if len(r.HTTP.Header.Values("Content-Md5")) > 0 || r.HTTP.Header.Get("X-Amz-Trailer") != "" {
		return nil
	}
	sum, err := checksum.OfHeader(r.HTTP.Header)
	if err != nil {
		return err
	}
	if sum.Kind != nil {
		return nil
	}
	return s3error.New("InvalidRequest").
		WithMessage("Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
}

// BadChecksum returns the error of a checksum of this kind that differs from the computed one.
func BadChecksum(kind *checksum.Kind) *s3error.Error {
	return s3error.New("BadDigest").WithMessage("The %s you specified did not match the calculated checksum.", kind.Name)
}

// An impatientBody is the body of a request. It fails with RequestTimeout if the client sends
// nothing for the time idle.
type impatientBody struct {
	io.ReadCloser
	control  *http.ResponseController
	idle     time.Duration
	deadline time.Time // deadline of all reads; zero means no limit
	read     bool      // true after the first call of Read
	err      error
}

// Read sets a read deadline only while it waits for the client. Between two calls, net/http itself reads
// from the connection to notice that the client has disconnected, and a deadline would disturb that.
func (b *impatientBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	b.read = true

	// The client may be idle for some time, but not beyond the deadline of the whole body, if there is one.
	deadline := time.Now().Add(b.idle)
	if !b.deadline.IsZero() && b.deadline.Before(deadline) {
		deadline = b.deadline
	}
	hasDeadline := b.control.SetReadDeadline(deadline) == nil

	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		// Keep the expired deadline, so that net/http does not wait for the rest of the body.
		b.err = s3error.New("RequestTimeout").WithHeader("Connection", "close")
		return n, b.err
	}
	if hasDeadline {
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// OpenFile returns a reader of the file of a form, which fails at the end if the file's size is not
// within the bounds, or if the file does not match the checksums in header.
func OpenFile(file io.Reader, header http.Header, size formpolicy.Sizes) (*state.Body, error) {
	b := &Body{}
	if err := b.readSums(header); err != nil {
		return nil, err
	}
	kind, err := requestedKind(header, b.Sum.Kind)
	if err != nil {
		return nil, err
	}
	b.Kind = kind

	// Read one byte more than permitted, to detect a file that is too long.
	const needsSHA256 = false
	digest := checksum.NewDigest(kind, needsSHA256)
	return &state.Body{
		From:   io.TeeReader(io.LimitReader(file, size.Max+1), digest),
		Size:   -1,
		Digest: digest,
		Check: func() error {
			if digest.Size > size.Max {
				return TooLarge(digest.Size, size.Max)
			}
			if digest.Size < size.Min {
				return s3error.New(
					"EntityTooSmall", "ProposedSize", strconv.FormatInt(digest.Size, 10), "MinSizeAllowed",
					strconv.FormatInt(size.Min, 10),
				)
			}
			return b.check(digest, nil)
		},
	}, nil
}
