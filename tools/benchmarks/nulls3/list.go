package nulls3

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/omnibucket/storage/tools/benchmarks/nullserver"
)

const mostKeys = 1000

// serveList sends a page of a generated listing. The prefix says how many objects the listing has.
// If the prefix ends with "/copies/", the objects have a modification time that is one day later.
// serveList ignores delimiters.
func serveList(w http.ResponseWriter, bucket string, query url.Values) {
	prefix := query.Get("prefix")
	keys := nullserver.Size(prefix)
	maximum := nullserver.PageSize(query.Get("max-keys"), mostKeys)
	start, end := nullserver.Page(keys, query.Get("continuation-token"), maximum)

	// The buffer has room for objects of 512 bytes, so that it rarely grows.
	const objectBytes = 512
	var page bytes.Buffer
	page.Grow(objectBytes * int(max(end-start, 0)+2))
	page.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
		`<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`)
	fmt.Fprintf(
		&page, "<Name>%s</Name><Prefix>%s</Prefix><KeyCount>%d</KeyCount><MaxKeys>%d</MaxKeys>", bucket, prefix,
		end-start,
		maximum,
	)
	if encoding := query.Get("encoding-type"); encoding != "" {
		fmt.Fprintf(&page, "<EncodingType>%s</EncodingType>", encoding)
	}
	fmt.Fprintf(&page, "<IsTruncated>%t</IsTruncated>", end < keys)
	if end < keys {
		fmt.Fprintf(&page, "<NextContinuationToken>%d</NextContinuationToken>", end)
	}

	// Objects below copies/ are a day newer than the others.
	day := 2
	if strings.HasSuffix(prefix, "/copies/") {
		day = 3
	}
	for i := start; i < end; i++ {
		fmt.Fprintf(&page, "<Contents><Key>%s</Key><LastModified>2026-01-%02dT15:04:05.000Z</LastModified>"+
			"<ETag>&quot;%032x&quot;</ETag><ChecksumAlgorithm>CRC32C</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"+
			"<Size>%d</Size><StorageClass>STANDARD</StorageClass></Contents>", nullserver.Name(prefix, i), day, i, 1000+i)
	}
	page.WriteString("</ListBucketResult>")
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Content-Length", strconv.Itoa(page.Len()))
	_, _ = w.Write(page.Bytes())
}
