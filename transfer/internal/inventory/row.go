package inventory

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

// The columns of a row, in the order in which fileRows yields them.
const (
	bucketColumn = iota
	keyColumn
	sizeColumn
	timeColumn
	etagColumn
	versionColumn
	latestColumn
	markerColumn
	removedColumn
	folderColumn
	snapshotColumn
	numColumns
)

// columnNames has the names of the columns of each provider, in the order of the column constants. ""
// means that the provider has no such column.
var columnNames = map[string][numColumns]string{
	"s3":  {"Bucket", "Key", "Size", "LastModifiedDate", "ETag", "VersionId", "IsLatest", "IsDeleteMarker", "", "", ""},
	"gcs": {"bucket", "name", "size", "timeCreated", "etag", "generation", "", "", "timeDeleted", "", ""},
	"azure": {
		"", "Name", "Content-Length", "Last-Modified", "Etag", "VersionId", "IsCurrentVersion", "", "Deleted",
		"hdi_isfolder", "Snapshot",
	},
}

// checkColumns returns an error if a file lacks a column that each row needs.
func (m *manifest) checkColumns(columns []string) error {
	names := columnNames[m.provider]
	for _, column := range []int{keyColumn, sizeColumn, timeColumn, bucketColumn} {
		name := names[column]
		if name != "" && columnIndex(columns, name) < 0 {
			return fmt.Errorf("inventory must have the column %s: add it to the configuration", name)
		}
	}
	return nil
}

// columnIndex returns the index of the column with the given name, or -1 if there is none.
func columnIndex(columns []string, name string) int {
	return slices.IndexFunc(columns, func(column string) bool { return columnName(column) == columnName(name) })
}

// entry converts a row to a version. skip is true for a row without an object of the bucket, such as
// the row of a folder.
func (i *Inventory) entry(row []string) (v storage.VersionEntry, skip bool, err error) {
	key, skip, err := i.rowKey(row)
	if skip || err != nil {
		return v, skip, err
	}
	v.Key = key
	v.Version = row[versionColumn]
	v.IsDeleteMarker = isTrue(row[markerColumn])

	v.Size, err = strconv.ParseInt(row[sizeColumn], 10, 64)
	hasSize := err == nil && v.Size >= 0
	if !hasSize && !v.IsDeleteMarker {
		return v, false, fmt.Errorf("must have a size, and not %q", row[sizeColumn])
	}

	v.Modified, err = parseTime(row[timeColumn])
	if err != nil {
		return v, false, err
	}

	// Only Google's inventory has the time at which a version became noncurrent.
	if i.manifest.provider == "gcs" && row[removedColumn] != "" {
		v.NoncurrentSince, err = parseTime(row[removedColumn])
		if err != nil {
			return v, false, err
		}
	}

	isLatest := row[latestColumn] == "" || isTrue(row[latestColumn])
	v.Current = isLatest && !v.IsDeleteMarker && v.NoncurrentSince.IsZero()
	i.setRevision(&v, row)
	return v, false, nil
}

// rowKey returns the key of the object in a row. skip is true for a row without an object of the
// bucket.
func (i *Inventory) rowKey(row []string) (key string, skip bool, err error) {
	key = row[keyColumn]
	isAzure := i.manifest.provider == "azure"
	if !isAzure && row[bucketColumn] != i.Bucket {
		return "", false, fmt.Errorf("must be of bucket %q, and is of %q", i.Bucket, row[bucketColumn])
	}

	// On Azure, the inventory is that of an account, and keys begin with the container.
	if isAzure {
		container, name, _ := strings.Cut(key, "/")
		isBlob := row[snapshotColumn] == "" && !isTrue(row[removedColumn]) && !isTrue(row[folderColumn])
		isOfBucket := container == i.Bucket
		if !isOfBucket || !isBlob {
			return "", true, nil
		}
		key = name
	}

	if i.manifest.encoded && i.manifest.format == "CSV" {
		key, err = url.QueryUnescape(key)
		if err != nil {
			return "", false, errors.New("must have a URL-encoded key")
		}
	}
	if key == "" {
		return "", false, errors.New("must have a key")
	}
	return key, i.isUploadPart(key), nil
}

// isUploadPart reports whether an object is a part of a multipart upload, which listings of the bucket
// leave out.
func (i *Inventory) isUploadPart(key string) bool {
	if i.manifest.provider == "s3" {
		// The provider keeps the parts, and not as objects.
		return false
	}
	// On Google and Azure, this library keeps parts under these names.
	return strings.HasPrefix(key, ".omnibucket./") || strings.HasPrefix(key, ".omnibucket//")
}

// setRevision sets ETag, Revision and Version to the values that a listing of the provider would have,
// so that a job can compare a row with an object.
func (i *Inventory) setRevision(v *storage.VersionEntry, row []string) {
	if tag := strings.Trim(row[etagColumn], `"`); tag != "" {
		v.ETag = `"` + tag + `"`
	}

	// S3 gives this id to a version that was written before the bucket kept versions.
	isNullVersion := i.manifest.provider == "s3" && v.Version == "" && row[latestColumn] != ""
	if isNullVersion {
		v.Version = "null"
	}

	native := v.ETag
	if i.manifest.provider == "gcs" {
		native = row[versionColumn] // the generation
	}
	if native != "" && !v.IsDeleteMarker {
		v.Revision = i.manifest.provider + ":" + native
	}
}

// isTrue reports whether a value is true. A missing value is not.
func isTrue(text string) bool { return strings.EqualFold(text, "true") }

// timeLayouts are the forms of times in the inventories of the providers.
var timeLayouts = []string{
	time.RFC3339,
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999 MST",
}

// parseTime parses a time in one of the forms of timeLayouts.
func parseTime(text string) (time.Time, error) {
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("must have a time, and not %q", text)
}
