// Package nulls3 is a null server, which stores nothing, with the protocol of S3. The path of a
// request contains the bucket and the key. The server does not support a bucket in the name of the
// host.
package nulls3

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"

	"github.com/omnibucket/storage/tools/benchmarks/nullserver"
)

const etag = `"9b2cf535f27731c974343645a3985328"`

// Service implements [nullserver.Service].
type Service struct{}

var _ nullserver.Service = Service{}

// Respond sends the response to an operation. It supports the operations that [Service.Operation]
// recognizes.
func (Service) Respond(w http.ResponseWriter, r *http.Request, operation string) {
	bucket, key := split(r.URL.Path)
	header := w.Header()
	header.Set("X-Amz-Request-Id", "656c76696e6727732072657175657374")
	header.Set("X-Amz-Id-2", "Uuag1LuByRx9e6j5Onimru9pO4ZVKnJ2Qz7/C1NPcfTWAtRPfTaOFg==")

	switch operation {
	case "PutObject", "UploadPart":
		header.Set("Etag", etag)
		if body, ok := r.Body.(*trailed); ok {
			header.Set("X-Amz-Checksum-Crc32c", body.checksum())
		}
	case "GetObject", "HeadObject":
		serveObject(w, r, nullserver.Size(key))
	case "ListObjectsV2":
		serveList(w, bucket, r.URL.Query())
	case "CreateMultipartUpload":
		answer(
			w,
			"<InitiateMultipartUploadResult><Bucket>%s</Bucket><Key>%s</Key><UploadId>upload</UploadId></InitiateMultipartUploadResult>",
			bucket, key,
		)
	case "CompleteMultipartUpload":
		answer(
			w,
			"<CompleteMultipartUploadResult><Bucket>%s</Bucket><Key>%s</Key><ETag>&quot;9b2cf535f27731c974343645a3985328-2&quot;</ETag></CompleteMultipartUploadResult>",
			bucket, key,
		)
	case "GetBucketLocation":
		answer(w, `<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></LocationConstraint>`)
	}
}

func answer(w http.ResponseWriter, format string, args ...any) {
	w.Header().Set("Content-Type", "application/xml")
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"+format, args...)
}

// serveObject sends a generated object, with the headers of an object that was stored with one
// request.
func serveObject(w http.ResponseWriter, r *http.Request, size int64) {
	byteRange := r.Header.Get("Range")
	isWhole := byteRange == ""

	// The object has only one part. S3 responds to a request for a part as to one for a range.
	if isWhole && r.URL.Query().Has("partNumber") && size > 0 {
		byteRange = "bytes=0-"
	}

	// A response with a range of the object has no checksum of the object.
	header := map[string]string{"Etag": etag}
	if r.Header.Get("X-Amz-Checksum-Mode") != "" && isWhole && size >= 0 {
		header["X-Amz-Checksum-Crc32c"] = checksum(size)
		header["X-Amz-Checksum-Type"] = "FULL_OBJECT"
	}
	nullserver.ServeObject(w, r, byteRange, size, header)
}

// checksum returns the CRC32C of an object with the given size, in the format of S3.
func checksum(size int64) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, nullserver.CRC32C(size)))
}
