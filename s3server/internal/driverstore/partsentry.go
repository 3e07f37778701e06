package driverstore

import (
	"strconv"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// maxPartsEntry is the maximum size in bytes of the list of parts that is stored in an object's
// metadata at a provider. Providers limit all metadata of an object to 2 KiB.
const maxPartsEntry = 1000

// partSizes encodes the sizes of parts, such as "5242880*3,17" for three parts of 5,242,880 bytes and one of 17 bytes.
func partSizes(parts []state.ObjectPart) string {
	var b strings.Builder
	for len(parts) > 0 {
		// Parts with the same size are written together.
		size := parts[0].Size
		count := 1
		for count < len(parts) && parts[count].Size == size {
			count++
		}
		parts = parts[count:]

		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(size, 10))
		if count > 1 {
			b.WriteString("*" + strconv.Itoa(count))
		}
	}
	return b.String()
}

// partSums encodes the checksums of parts, which must all be of one kind.
func partSums(parts []state.ObjectPart) string {
	sums := make([]string, len(parts))
	for i, p := range parts {
		sums[i] = p.Sum.Value
	}
	return strings.Join(sums, ",")
}

// readParts decodes the results of partSizes and partSums. The checksums are of the given kind. Clients cannot write
// these texts, so they are always well-formed.
func readParts(sizes, sums string, kind *checksum.Kind) (parts []state.ObjectPart) {
	if sizes == "" {
		return nil
	}

	// The sizes have the form "5242880*3,17": each part begins where the one before it ends.
	offset := int64(0)
	for run := range strings.SplitSeq(sizes, ",") { // a run is "SIZE*COUNT", or "SIZE" for one part
		sizeText, countText, _ := strings.Cut(run, "*")
		size, _ := strconv.ParseInt(sizeText, 10, 64)
		count, err := strconv.Atoi(countText)
		if err != nil {
			// A run of one part has no count.
			count = 1
		}
		for range count {
			parts = append(parts, state.ObjectPart{Offset: offset, Size: size})
			offset += size
		}
	}

	// Each part has a checksum, or none has one.
	values := strings.Split(sums, ",")
	if kind != nil && len(values) == len(parts) {
		for i := range parts {
			parts[i].Sum = checksum.Sum{Kind: kind, Value: values[i], Covers: checksum.FullObject}
		}
	}
	return parts
}
