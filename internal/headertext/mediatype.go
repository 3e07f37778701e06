package headertext

import "strings"

// MediaTypeByExtension returns the media type for the extension of name, a file name or a key, or
// "" if the extension is missing or unknown.
func MediaTypeByExtension(name string) string {
	dot := strings.LastIndexByte(name, '.')
	// If a slash follows the last dot, the dot belongs to the name of a folder.
	if dot < 0 || strings.IndexByte(name[dot:], '/') >= 0 {
		return ""
	}
	extension := name[dot+1:]
	if t, ok := mediaTypes[extension]; ok {
		return t
	}
	return mediaTypes[strings.ToLower(extension)]
}

// mediaTypes maps extensions to the media types that IANA has registered. Text types have the
// charset UTF-8. The map is the same on every machine. The function mime.TypeByExtension depends on
// tables of the system.
var mediaTypes = map[string]string{
	"7z":      "application/x-7z-compressed",
	"aac":     "audio/aac",
	"apng":    "image/apng",
	"avi":     "video/x-msvideo",
	"avif":    "image/avif",
	"bin":     "application/octet-stream",
	"bmp":     "image/bmp",
	"br":      "application/x-brotli",
	"bz2":     "application/x-bzip2",
	"cjs":     "text/javascript; charset=utf-8",
	"css":     "text/css; charset=utf-8",
	"csv":     "text/csv; charset=utf-8",
	"doc":     "application/msword",
	"docx":    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	"eot":     "application/vnd.ms-fontobject",
	"epub":    "application/epub+zip",
	"flac":    "audio/flac",
	"gif":     "image/gif",
	"go":      "text/plain; charset=utf-8",
	"gz":      "application/gzip",
	"heic":    "image/heic",
	"heif":    "image/heif",
	"htm":     "text/html; charset=utf-8",
	"html":    "text/html; charset=utf-8",
	"ico":     "image/vnd.microsoft.icon",
	"ics":     "text/calendar; charset=utf-8",
	"jar":     "application/java-archive",
	"jpeg":    "image/jpeg",
	"jpg":     "image/jpeg",
	"js":      "text/javascript; charset=utf-8",
	"json":    "application/json",
	"jsonl":   "application/jsonl",
	"jsonld":  "application/ld+json",
	"jxl":     "image/jxl",
	"log":     "text/plain; charset=utf-8",
	"m4a":     "audio/mp4",
	"m4v":     "video/mp4",
	"map":     "application/json",
	"md":      "text/markdown; charset=utf-8",
	"mid":     "audio/midi",
	"midi":    "audio/midi",
	"mjs":     "text/javascript; charset=utf-8",
	"mkv":     "video/matroska",
	"mov":     "video/quicktime",
	"mp3":     "audio/mpeg",
	"mp4":     "video/mp4",
	"mpeg":    "video/mpeg",
	"mpg":     "video/mpeg",
	"odp":     "application/vnd.oasis.opendocument.presentation",
	"ods":     "application/vnd.oasis.opendocument.spreadsheet",
	"odt":     "application/vnd.oasis.opendocument.text",
	"oga":     "audio/ogg",
	"ogg":     "audio/ogg",
	"ogv":     "video/ogg",
	"opus":    "audio/ogg",
	"otf":     "font/otf",
	"parquet": "application/vnd.apache.parquet",
	"pdf":     "application/pdf",
	"png":     "image/png",
	"ppt":     "application/vnd.ms-powerpoint",
	"pptx":    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	"ps":      "application/postscript",
	"rar":     "application/vnd.rar",
	"rtf":     "application/rtf",
	"sh":      "application/x-sh",
	"sql":     "application/sql",
	"svg":     "image/svg+xml",
	"tar":     "application/x-tar",
	"tgz":     "application/gzip",
	"tif":     "image/tiff",
	"tiff":    "image/tiff",
	"toml":    "application/toml",
	"ts":      "video/mp2t",
	"tsv":     "text/tab-separated-values; charset=utf-8",
	"ttf":     "font/ttf",
	"txt":     "text/plain; charset=utf-8",
	"vcf":     "text/vcard; charset=utf-8",
	"wasm":    "application/wasm",
	"wav":     "audio/wav",
	"weba":    "audio/webm",
	"webm":    "video/webm",
	"webp":    "image/webp",
	"woff":    "font/woff",
	"woff2":   "font/woff2",
	"xhtml":   "application/xhtml+xml",
	"xls":     "application/vnd.ms-excel",
	"xlsx":    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	"xml":     "application/xml",
	"xz":      "application/x-xz",
	"yaml":    "application/yaml",
	"yml":     "application/yaml",
	"zip":     "application/zip",
	"zst":     "application/zstd",
}
