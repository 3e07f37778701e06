package operations

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/completed"
	"github.com/omnibucket/storage/s3server/internal/headers"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

type completeRequest struct {
	XMLName xml.Name `xml:"CompleteMultipartUpload"`
	Part    []completedPart
}

type completedPart struct {
	PartNumber *int // readCompletion fails if it is nil
	ETag       string
	checksum.Elements
	checksum.MissingElements
}

// A completion is a request to complete a multipart upload, with what the client asserts about the
// object.
type completion struct {
	upload       *state.Upload
	parts        []completedPart
	sum          checksum.Sum // checksum that the client asserts for the object; its Kind is nil if there is none
	checksumType string       // type of checksum that the client asserts, such as COMPOSITE; "" if there is none
	size         int64        // size in bytes that the client asserts for the object; -1 if there is none
}

// completeUpload joins the parts of an upload to an object and ends the upload. A repeated completion with
// the same parts gets the result of the first.
func completeUpload(r *request.Request) error {
	condition, err := headers.WriteCondition(r.HTTP.Header)
	if err != nil {
		return err
	}
	c, err := readCompletion(r)
	if err != nil {
		return err
	}
	u, err := completeOnce(r, c, condition)
	if err != nil {
		return err
	}
	return writeFinished(r, u)
}

// completeOnce completes an upload, or returns the earlier result if the upload was already completed. It
// waits for another request that is completing the upload.
func completeOnce(r *request.Request, c *completion, condition state.WriteCondition) (*completed.Upload, error) {
	id := r.Query.Get("uploadId")
	unlock, err := r.Server.Completed.Active.Lock(r.HTTP.Context(), id)
	if err != nil {
		return nil, err
	}
	defer unlock()

	// The store may still have a completed upload that it failed to remove, so look here first.
	u, err := r.Server.Completed.Find(r.Target.Bucket, r.Target.Key, id, c.fingerprint())
	if u != nil || err != nil {
		return u, err
	}

	u, err = complete(r, c, condition)
	if s3error.Is(err, "NoSuchUpload") {
		// The upload may have been completed before the server was started again.
		return resultFromObject(r, c, id)
	}
	return u, err
}

// complete completes the upload that the request names, and records the result for a repeated request.
func complete(r *request.Request, c *completion, condition state.WriteCondition) (*completed.Upload, error) {
	if err := findUpload(r, c); err != nil {
		return nil, err
	}
	parts, err := selectParts(r, c)
	if err != nil {
		return nil, err
	}

	// Change only a copy, because the completion may fail and the upload stay.
	o := c.upload.Object
	setJoined(&o, c, parts)
	if err := checkJoined(&o, c); err != nil {
		return nil, err
	}

	// If the client disconnects, the completion continues, and a repeated request waits for it.
	ctx, cancel := serverContext(r)
	defer cancel()
	v, versionID, err := r.Server.Store.Complete(ctx, writeOf(r, &o, condition), c.upload, parts)
	if err != nil {
		return nil, err
	}

	// A client that has lost the response repeats the request, and must receive the same result.
	setWriteHeaders(r, v, versionID)
	u := &completed.Upload{
		Bucket: r.Target.Bucket,
		Key:    r.Target.Key,
		Parts:  c.fingerprint(),
		Header: objectHeadersOf(r),
		Result: completeResultOf(r, v),
	}
	r.Server.Completed.Add(c.upload.ID, u)
	return u, nil
}

// serverContext returns a context with the values of the request's context. It is not canceled when the client
// disconnects, but after that only when the server ends.
func serverContext(r *request.Request) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.HTTP.Context()))
	stop := context.AfterFunc(r.HTTP.Context(), func() {
		// The client has disconnected.
		select {
		case <-r.Server.Done:
			cancel()
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		stop()
		cancel()
	}
}

// completeResultOf returns the result of a CompleteMultipartUpload that has made this version.
func completeResultOf(r *request.Request, v *state.Version) completed.Result {
	return completed.Result{
		Location:     xmldoc.Text(r.Location()),
		Bucket:       r.Target.Bucket,
		Key:          xmldoc.Text(r.Target.Key),
		ETag:         v.Object.ETag,
		Elements:     checksum.ElementsOf(v.Object.Sum),
		ChecksumType: v.Object.Sum.Covers,
	}
}

// readCompletion reads the document and the headers of CompleteMultipartUpload. Unlike in other requests, a
// checksum in the headers is that of the object, not of the body.
func readCompletion(r *request.Request) (*completion, error) {
	sum, err := checksum.OfHeader(r.HTTP.Header)
	if err != nil {
		return nil, err
	}
	const unknownSize = -1
	c := &completion{size: unknownSize, sum: sum, checksumType: r.HTTP.Header.Get("X-Amz-Checksum-Type")}

	// ReadDocument would take the checksum for that of the body.
	removeChecksum(r.HTTP.Header, c.sum)

	if value := r.HTTP.Header.Get("X-Amz-Mp-Object-Size"); value != "" {
		size, err := strconv.ParseInt(value, 10, 64)
		if err != nil || size < 0 {
			return nil, s3error.New("InvalidRequest").WithMessage("Value for x-amz-mp-object-size header is invalid.")
		}
		c.size = size
	}

	document, err := r.ReadDocument()
	if err != nil {
		return nil, err
	}
	if len(document) == 0 {
		return nil, s3error.New("InvalidRequest").WithMessage("You must specify at least one part")
	}

	var req completeRequest
	if err := xmldoc.Parse(document, &req); err != nil {
		return nil, err
	}
	c.parts = req.Part
	return c, checkCompletedParts(r, c.parts)
}

// removeChecksum removes the checksum sum, and the headers that describe it, from the headers of a request.
func removeChecksum(header http.Header, sum checksum.Sum) {
	if sum.Kind != nil {
		header.Del(sum.Kind.Header)
		header.Del(checksum.SDKAlgorithmHeader)
	}
	header.Del(checksum.AlgorithmHeader)
	header.Del(checksum.TypeHeader)
}

// checkCompletedParts fails if the list of parts in the request is invalid, whatever parts are stored.
func checkCompletedParts(r *request.Request, parts []completedPart) error {
	if len(parts) == 0 || len(parts) > r.Server.Limits.MaxParts {
		return s3error.New("MalformedXML")
	}
	isIncomplete := func(p completedPart) bool {
		return p.PartNumber == nil || p.ETag == ""
	}
	if slices.ContainsFunc(parts, isIncomplete) {
		return s3error.New("MalformedXML")
	}

	for _, p := range parts {
		if *p.PartNumber < 1 {
			return s3error.New("InvalidArgument", "ArgumentName", "PartNumber", "ArgumentValue",
				strconv.Itoa(*p.PartNumber)).
				WithMessage("PartNumber must be >= 1")
		}
	}
	return nil
}

// findUpload sets c.upload to the upload that the request names. It checks the customer's encryption key if
// the request has one. As on S3, the request must repeat the upload's key if the client named a checksum algorithm.
func findUpload(r *request.Request, c *completion) (err error) {
	c.upload, err = requestedUpload(r)
	if err != nil {
		return err
	}
	if c.upload.HasAlgorithm || r.HTTP.Header.Get(state.CustomerPrefix+"-Key") != "" {
		return checkPartKey(r, c.upload)
	}
	return nil
}

// selectParts returns the stored parts that the request lists, in order, and fails if one is missing or
// differs from the stored part.
func selectParts(r *request.Request, c *completion) ([]*state.Part, error) {
	const marker = 0 // number after which the list begins
	all, _, err := r.Server.Store.Parts(r.HTTP.Context(), c.upload, marker, r.Server.Limits.MaxParts)
	if err != nil {
		return nil, err
	}

	// The request may list only some of the stored parts.
	byNumber := make(map[int]*state.Part, len(all))
	for _, p := range all {
		byNumber[p.Number] = p
	}

	var parts []*state.Part
	previous := 0 // the number of the part before
	for _, part := range c.parts {
		number := *part.PartNumber
		if number <= previous {
			return nil, s3error.New("InvalidPartOrder", "UploadId", c.upload.ID)
		}
		hasGap := number > previous+1
		previous = number

		// A part may be missing, or another client may have replaced it.
		p, isStored := byNumber[number]
		if !isStored || !state.SameTag(p.ETag, part.ETag) {
			return nil, invalidPart(c.upload, part)
		}
		// If the client named a checksum algorithm for the upload, S3 requires consecutive numbers.
		if hasGap && c.upload.HasAlgorithm && r.Server.Strict {
			return nil, s3error.New("InvalidPartOrder", "UploadId", c.upload.ID)
		}
		if err := checkPartChecksum(c.upload, p, part); err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}

	// The request lists at least one part, as checkCompletedParts has checked.
	allButLast := parts[:len(parts)-1]
	if err := checkMinSize(allButLast, r.Server.Limits.MinPartSize); err != nil {
		return nil, err
	}
	return parts, nil
}

// checkMinSize fails if one of the parts is smaller than minSize.
func checkMinSize(parts []*state.Part, minSize int64) error {
	for _, p := range parts {
		if p.Size < minSize {
			return s3error.New(
				"EntityTooSmall", "ProposedSize", strconv.FormatInt(p.Size, 10), "MinSizeAllowed",
				strconv.FormatInt(minSize, 10), "PartNumber", strconv.Itoa(p.Number), "ETag",
				strings.Trim(p.ETag, `"`),
			)
		}
	}
	return nil
}

// invalidPart returns the error for a listed part that is missing or differs from the stored part.
func invalidPart(u *state.Upload, part completedPart) *s3error.Error {
	return s3error.New(
		"InvalidPart", "UploadId", u.ID, "PartNumber", strconv.Itoa(*part.PartNumber), "ETag",
		strings.Trim(part.ETag, `"`),
	)
}

// checkPartChecksum compares the checksum that a completion names for a part with that of the stored part. It fails if
// they differ, or if the completion names none although the upload has a composite checksum.
func checkPartChecksum(u *state.Upload, p *state.Part, part completedPart) error {
	// No stored part has a checksum of a kind that this server does not implement.
	hasUnknownKind := part.MissingElements != (checksum.MissingElements{})
	if hasUnknownKind {
		return invalidPart(u, part)
	}

	// If the completion names several checksums, only the first counts.
	named := part.firstSum()
	if named.Kind != nil {
		isSame := named.Kind == p.Sum.Kind && named.Value == p.Sum.Value
		if !isSame {
			return invalidPart(u, part)
		}
		return nil
	}

	// The completion names no checksum of the part.
	if u.HasAlgorithm && u.Covers == checksum.Composite {
		return s3error.New("InvalidRequest").WithMessage(
			"The upload was created using a %s checksum. The complete request must include the checksum for each part. It was missing for part %d in the request.",
			u.Kind.Label(), p.Number,
		)
	}
	return nil
}

// firstSum returns the kind and the value of the first checksum that a completion names for a part, or none.
func (p *completedPart) firstSum() checksum.Sum {
	for _, kind := range checksum.Kinds {
		if value := *p.Of(kind); value != "" {
			return checksum.Sum{Kind: kind, Value: value}
		}
	}
	return checksum.Sum{}
}

// tag returns the entity tag that the completed object has if it is not encrypted. The tag consists of the
// MD5 of the parts' MD5s and the number of parts.
func (c *completion) tag() string {
	h := md5.New()
	for _, p := range c.parts {
		// The tag is hexadecimal, because state.NewPart has made it.
		raw, _ := hex.DecodeString(strings.Trim(p.ETag, `"`))
		h.Write(raw)
	}
	return `"` + hex.EncodeToString(h.Sum(nil)) + "-" + strconv.Itoa(len(c.parts)) + `"`
}

// setJoined sets the size, the entity tag and the checksum of o, which consists of these parts.
func setJoined(o *state.Object, c *completion, parts []*state.Part) {
	for _, p := range parts {
		o.Parts = append(o.Parts, state.ObjectPart{Offset: o.Size, Size: p.Size, Sum: p.Sum})
		o.Size += p.Size
	}
	o.Sum = c.upload.SumOf(parts)
	// An encrypted object may have another tag than its parts imply.
	o.ETag = o.Encryption.Tag(c.tag())
}

// checkJoined fails if the request names another size or checksum than that of the object, which setJoined has set.
func checkJoined(o *state.Object, c *completion) error {
	// The size is -1 if the client has not named it.
	if c.size >= 0 && c.size != o.Size {
		return s3error.New("InvalidRequest").WithMessage(
			"The provided 'x-amz-mp-object-size' header value %d does not match what was computed: %d", c.size, o.Size,
		)
	}
	if c.checksumType != "" && c.checksumType != c.upload.Covers {
		return s3error.New("BadDigest").WithMessage(
			"The checksum type %s does not match the type %s that the upload was created with.", c.checksumType,
			c.upload.Covers,
		)
	}

	hasSum := c.sum.Kind != nil
	if !hasSum {
		return nil
	}
	// Some clients omit the suffix "-N" of a composite checksum, which is the number of parts.
	withoutCount, _, _ := strings.Cut(o.Sum.Value, "-")
	hasSameValue := c.sum.Value == o.Sum.Value || c.sum.Value == withoutCount
	if c.sum.Kind != c.upload.Kind || !hasSameValue {
		return request.BadChecksum(c.sum.Kind)
	}
	return nil
}
