package uploads

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

// A signedPart is the response with the address of one part.
type signedPart struct {
	URL       string            `json:"url"`
	Method    string            `json:"method"`
	Headers   map[string]string `json:"headers"`
	Expires   int64             `json:"expires"` // seconds
	ExpiresAt time.Time         `json:"expiresAt"`
}

func (h *companion) signPart(c *call) error {
	s, upload, err := h.openParts(c)
	if err != nil {
		return err
	}
	signed, err := h.sign(c, s, upload, "partNumber", c.PathValue("part"))
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, signed)
}

// signParts signs several parts, without checksums.
func (h *companion) signParts(c *call) error {
	s, upload, err := h.openParts(c)
	if err != nil {
		return err
	}
	numbers := strings.Split(c.URL.Query().Get("partNumbers"), ",")
	if len(numbers) > maxBatch {
		return invalid("partNumbers", fmt.Sprintf("At most %d parts are signed at once.", maxBatch))
	}
	urls, headers := map[string]string{}, map[string]map[string]string{}
	for _, number := range numbers {
		signed, err := h.sign(c, s, upload, "partNumbers", number)
		if err != nil {
			return err
		}
		urls[number], headers[number] = signed.URL, signed.Headers
	}
	return c.json(http.StatusOK, map[string]any{"presignedUrls": urls, "headers": headers})
}

// partNumber reads the number of a part.
func partNumber(field, text string, limits storage.PartLimits) (int, error) {
	number, err := strconv.Atoi(text)
	if err != nil || number < 1 || limits.MaxParts > 0 && number > limits.MaxParts || strconv.Itoa(number) != text {
		most := ""
		if limits.MaxParts > 0 {
			most = fmt.Sprintf(" to %d", limits.MaxParts)
		}
		return 0, invalid(field, "Parts are numbered from 1"+most+".")
	}
	return number, nil
}

// sign returns the request that stores a part. The query may have the part's size and
// crc32c.
func (h *companion) sign(c *call, s *session, upload storage.MultipartUpload, field, text string) (*signedPart, error) {
	limits := upload.Limits()
	number, err := partNumber(field, text, limits)
	if err != nil {
		return nil, err
	}
	size, err := h.partSizeOf(c, s, limits)
	if err != nil {
		return nil, err
	}
	ttl := min(h.config.UploadTTL, s.Expires.Sub(h.config.Now()).Truncate(time.Second))
	if ttl < minTTL {
		return nil, notFound()
	}
	sum, err := s.checksumOf(c)
	if err != nil {
		return nil, err
	}
	if s.Proxied {
		return h.signProxied(c, s, number, size, sum, ttl), nil
	}
	opts := []storage.SignedPartOption{storage.WithTTL(ttl)}
	if size >= 0 && storage.Supports(h.bucket, storage.SignedSize) {
		opts = append(opts, storage.WithSize(size))
	}
	if sum.Known {
		opts = append(opts, storage.WithCRC32C(sum.Sum))
	}
	signed, err := upload.SignPart(c.Context(), number, opts...)
	if err != nil {
		return nil, storeFailed(err)
	}
	headers := map[string]string{}
	for name, values := range signed.Header {
		headers[name] = strings.Join(values, ",")
	}
	return &signedPart{
		URL: signed.URL, Method: signed.Method, Headers: headers, ExpiresAt: signed.ExpiresAt,
		Expires: max(1, int64(signed.ExpiresAt.Sub(h.config.Now())/time.Second)),
	}, nil
}

// partSizeOf reads the size of a part from the query; -1: the client does not say it.
func (h *companion) partSizeOf(c *call, s *session, limits storage.PartLimits) (int64, error) {
	text := c.URL.Query().Get("size")
	if text == "" {
		return -1, nil
	}
	size, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil || size < 0:
		return 0, invalid("size", "The size of a part is a number of bytes.")
	case limits.MaxSize > 0 && size > limits.MaxSize:
		return 0, tooLarge("size", limits.MaxSize)
	case s.Size >= 0 && size > s.Size:
		return 0, tooLarge("size", s.Size)
	case s.Target.MaxSize > 0 && size > s.Target.MaxSize:
		return 0, tooLarge("size", s.Target.MaxSize)
	}
	return size, nil
}

// checksumOf reads the checksum of a part from the query, if the upload has checksums.
func (s *session) checksumOf(c *call) (storage.CRC32C, error) {
	if !s.Checked {
		return storage.CRC32C{}, nil
	}
	sum, err := base64.StdEncoding.DecodeString(c.URL.Query().Get("crc32c"))
	if err != nil || len(sum) != 4 {
		return storage.CRC32C{}, invalid("crc32c", "The CRC32C of the part is four bytes in base64.")
	}
	return storage.KnownCRC32C(binary.BigEndian.Uint32(sum)), nil
}

func encodeCRC32C(sum uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}
