package inventory

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/omnibucket/storage"
)

// A manifest describes an inventory, and lists the files of the inventory.
type manifest struct {
	provider string // the provider's name, as in revisions
	// bucket is the name of the bucket. A manifest of Azure names the account instead. If the name
	// of the account is not known, bucket is "".
	bucket    string
	taken     time.Time
	format    string // "CSV", "PARQUET"
	columns   []string
	header    bool // whether the first row of a CSV file has the names of its columns
	delimiter rune
	encoded   bool // whether the keys are URL-encoded
	files     []tableFile
	rows      int64 // number of rows in all files; -1 if unknown
}

// A tableFile is one file of rows. If its MD5 is unknown, md5 is "". If its size is unknown,
// size is -1.
type tableFile struct {
	key  string
	md5  string // "" if the manifest has none
	size int64  // in bytes, or unknownSize
}

// unknownSize is the size of a file whose manifest has no sizes.
const unknownSize = -1

// maxManifest is the largest size in bytes of a manifest. A manifest for a hundred billion objects
// is smaller.
const maxManifest = 64 << 20

// A manifestText has the JSON fields of the manifests of all providers:
//
//   - https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
//   - https://learn.microsoft.com/azure/storage/blobs/blob-inventory#inventory-files
//   - https://cloud.google.com/storage/docs/insights/inventory-reports
type manifestText struct {
	// S3's fields
	SourceBucket, CreationTimestamp, FileFormat, FileSchema string
	Files                                                   []struct {
		Key, MD5checksum string
		Blob             string // Azure's field
		Size             int64
	}
	// Azure's fields
	InventoryStartTime time.Time
	Status, Endpoint   string
	RuleDefinition     *struct {
		Format, ObjectType string
	}
	// Google's fields
	Config *struct {
		CSV *struct {
			Delimiter string `json:"delimiter"`
			Header    *bool  `json:"header_required"`
		} `json:"csv_options"`
		Report struct {
			Fields []string `json:"metadata_fields"`
			Filter struct {
				Bucket string `json:"bucket"`
			} `json:"storage_filters"`
		} `json:"object_metadata_report_options"`
	} `json:"report_config"`
	Shards   []string   `json:"report_shards_file_names"`
	Snapshot *time.Time `json:"snapshot_time"`
	Target   *time.Time `json:"target_datetime"`
	Records  *int64     `json:"records_processed"`
}

// readManifest reads and verifies the manifest of an inventory of any provider.
func readManifest(ctx context.Context, reports storage.Downloader, key string) (*manifest, error) {
	text, err := readSmall(ctx, reports, key)
	if err != nil {
		return nil, err
	}

	var t manifestText
	if err := json.Unmarshal(text, &t); err != nil {
		return nil, invalid(key,
			"manifest must be JSON of S3 Inventory, Storage Insights or Azure's blob inventory: "+err.Error())
	}

	// Google, whose manifest lists shards, writes no checksum.
	if t.Shards == nil {
		if err := verifyManifest(ctx, reports, key, text); err != nil {
			return nil, err
		}
	}

	// Each provider has its own form of a manifest, which a field tells.
	m := &manifest{delimiter: ',', rows: -1}
	switch {
	case t.Shards != nil:
		err = m.readGoogle(&t, key)
	case t.RuleDefinition != nil:
		err = m.readAzure(&t)
	case t.SourceBucket != "":
		err = m.readAmazon(&t)
	default:
		err = errors.New("must be that of S3 Inventory, Storage Insights or Azure's blob inventory")
	}
	if err != nil {
		return nil, invalid(key, "manifest "+err.Error())
	}

	if err := m.checkFormat(key); err != nil {
		return nil, err
	}
	if len(m.columns) == 0 {
		// The columns are in the files.
		return m, nil
	}
	if err := m.checkColumns(m.columns); err != nil {
		return nil, invalid(key, err.Error())
	}
	return m, nil
}

// checkFormat fails if the files of the inventory are neither CSV nor Parquet. key is that of the
// manifest.
func (m *manifest) checkFormat(key string) error {
	switch m.format {
	case "CSV", "PARQUET":
		return nil
	case "ORC":
		return &storage.Error{
			Code: storage.Unsupported,
			Op:   "OpenInventory",
			Key:  key,
			Err:  errors.New("the files are ORC"),
			Hint: "configure the inventory as CSV or Parquet",
		}
	default:
		return invalid(key, fmt.Sprintf("manifest must have the format CSV or Parquet, and not %q", m.format))
	}
}

// readSmall reads an object into memory, and fails if it has more than maxManifest bytes.
func readSmall(ctx context.Context, reports storage.Downloader, key string) ([]byte, error) {
	// One byte more shows that the object is too large.
	text, _, err := storage.ReadAll(ctx, reports, key, storage.WithRange(0, maxManifest+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxManifest {
		return nil, invalid(key, "manifest must have at most 64 MiB")
	}
	return text, nil
}

// equalMD5 reports whether text is the MD5 sum. S3 writes hexadecimal digits. Azure does not
// document its format, but its APIs use base64.
func equalMD5(sum []byte, text string) bool {
	text = strings.Trim(strings.TrimSpace(text), `"`)
	return strings.EqualFold(text, hex.EncodeToString(sum)) || text == base64.StdEncoding.EncodeToString(sum)
}

// readAmazon reads the manifest of an inventory of S3. It fails if a field is missing or invalid.
func (m *manifest) readAmazon(t *manifestText) error {
	m.provider = "s3"
	m.bucket = t.SourceBucket
	m.format = strings.ToUpper(t.FileFormat)
	// In the CSV files of S3, keys are encoded as in a URL.
	m.encoded = true

	ms, err := strconv.ParseInt(t.CreationTimestamp, 10, 64)
	if err != nil {
		return errors.New("must have creationTimestamp")
	}
	m.taken = time.UnixMilli(ms).UTC()

	if m.format == "CSV" {
		for name := range strings.SplitSeq(t.FileSchema, ",") {
			m.columns = append(m.columns, strings.TrimSpace(name))
		}
	}

	for _, f := range t.Files {
		if f.Key == "" || f.MD5checksum == "" || f.Size < 0 {
			return errors.New("must have key, size and MD5checksum of each file")
		}
		m.files = append(m.files, tableFile{key: f.Key, md5: f.MD5checksum, size: f.Size})
	}
	return nil
}

// readAzure reads the manifest of an inventory of Azure. It fails if a field is missing or invalid.
func (m *manifest) readAzure(t *manifestText) error {
	m.provider = "azure"
	m.format = strings.ToUpper(t.RuleDefinition.Format)
	m.header = true
	m.taken = t.InventoryStartTime
	m.bucket = accountOf(t.Endpoint)

	if t.Status != "Succeeded" {
		return fmt.Errorf("must have the status Succeeded, and not %q", t.Status)
	}
	if !strings.EqualFold(t.RuleDefinition.ObjectType, "blob") {
		return errors.New("must be that of blobs, and not of containers")
	}
	if m.taken.IsZero() {
		return errors.New("must have inventoryStartTime")
	}

	for _, f := range t.Files {
		if f.Blob == "" || f.Size < 0 {
			return errors.New("must have blob and size of each file")
		}
		m.files = append(m.files, tableFile{key: f.Blob, size: f.Size})
	}
	return nil
}

// accountOf returns the name of the account in an endpoint of Azure, or "" if the endpoint has a domain
// of the user.
func accountOf(endpoint string) string {
	_, host, _ := strings.Cut(endpoint, "://")
	name, rest, _ := strings.Cut(host, ".")
	if !strings.Contains("."+rest, ".blob.") {
		return ""
	}
	return strings.TrimSuffix(name, "-secondary")
}

// verifyManifest fails if text, the content of a manifest, does not have the MD5 that is stored beside it.
func verifyManifest(ctx context.Context, reports storage.Downloader, key string, text []byte) error {
	checksumKey := strings.TrimSuffix(key, ".json") + ".checksum"
	want, err := readSmall(ctx, reports, checksumKey)
	if err != nil {
		return err
	}
	if sum := md5.Sum(text); !equalMD5(sum[:], string(want)) {
		return damaged(key, errors.New("the manifest does not have its checksum"))
	}
	return nil
}

// google reads the manifest of an inventory of Google, whose files are in the same folder as the
// manifest. It fails if a field is missing or invalid.
func (m *manifest) readGoogle(t *manifestText, key string) error {
	m.provider = "gcs"
	m.format = "PARQUET"
	m.header = true

	switch {
	case t.Snapshot != nil:
		m.taken = *t.Snapshot
	case t.Target != nil:
		m.taken = *t.Target
	default:
		return errors.New("must have snapshot_time")
	}
	if t.Records == nil {
		return errors.New("must have records_processed")
	}
	m.rows = *t.Records
	if t.Config == nil || t.Config.Report.Filter.Bucket == "" {
		return errors.New("must have the bucket in report_config")
	}
	m.bucket = path.Base(t.Config.Report.Filter.Bucket)

	if csv := t.Config.CSV; csv != nil {
		m.format = "CSV"
		if delimiter := []rune(csv.Delimiter); len(delimiter) == 1 {
			m.delimiter = delimiter[0]
		}
		if csv.Header != nil && !*csv.Header {
			m.header = false
			m.columns = t.Config.Report.Fields
		}
	}

	folder, _ := path.Split(key)
	for _, name := range t.Shards {
		m.files = append(m.files, tableFile{key: folder + path.Base(name), size: unknownSize})
	}
	return nil
}

// columnName reduces the name of a column to lower-case letters and digits, because a provider may
// write one column as LastModifiedDate and as last_modified_date.
func columnName(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}
