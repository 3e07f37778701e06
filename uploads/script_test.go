package uploads

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color/palette"
	"image/gif"
	"image/jpeg"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
)

func encodedGIF(width, height, kind int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(kind)))
	p := image.NewPaletted(image.Rect(0, 0, width, height), palette.WebSafe)
	for i := range p.Pix {
		switch kind {
		case 1:
			p.Pix[i] = byte(i / width % 216)
		case 2:
			p.Pix[i] = byte(r.Uint32() % 216)
		}
	}
	var b bytes.Buffer
	_ = gif.Encode(&b, p, nil)
	return b.Bytes()
}

func encodedJPEG() []byte {
	r := rand.New(rand.NewPCG(1, 7))
	p := image.NewGray(image.Rect(0, 0, 200, 200))
	for i := range p.Pix {
		p.Pix[i] = byte(r.Uint32())
	}
	var b bytes.Buffer
	_ = jpeg.Encode(&b, p, nil)
	return b.Bytes()
}

// gifWith is a GIF with these bytes for its screen's size, and a comment, and
// "*/" behind its end. Its picture is of 8 by 8 pixels.
func gifWith(size, comment string) string {
	raw := encodedGIF(8, 8, 1)
	table := raw[gifScreen : gifScreen+colorTable(raw[10])]
	var b strings.Builder
	b.Write(raw[:6])
	b.WriteString(size)
	b.Write(raw[10:gifScreen])
	b.Write(table)
	b.WriteString("\x21\xfe")
	for ; comment != ""; comment = comment[min(255, len(comment)):] {
		b.WriteByte(byte(min(255, len(comment))))
		b.WriteString(comment[:min(255, len(comment))])
	}
	b.WriteByte(0)
	b.Write(raw[gifScreen+len(table):])
	b.WriteString("*/")
	return b.String()
}

// jpegWith is a JPEG with a segment of this length in front.
func jpegWith(marker byte, length uint16, begin string) string {
	raw := encodedJPEG()
	segment := binary.BigEndian.AppendUint16([]byte{0xFF, 0xD8, 0xFF, marker}, length)
	return string(segment) + begin + strings.Repeat(" ", int(length)-2-len(begin)) + string(raw[2:])
}

func webpWith(size, rest string) string {
	return "RIFF" + size + "WEBPVP8L\x0d\x00\x00\x00\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00" + rest
}

func wide(order binary.ByteOrder, text string) string {
	b := []byte{}
	for _, unit := range utf16.Encode([]rune(text)) {
		b = append(b, 0, 0)
		order.PutUint16(b[len(b)-2:], unit)
	}
	return string(b)
}

const run = ";alert(1);/*"

// programs are pictures that a page can run by <script src charset>.
func programs() []struct{ name, content string } {
	far := strings.Repeat("x", 6000)
	return []struct{ name, content string }{
		{"a GIF in a comment", gifWith("/*\x09\x00", "*/=1"+run)},
		{"a GIF in a line", gifWith("//\x09\x00", "\n=1"+run)},
		{"a GIF in a text behind a form feed", gifWith("=\x0c`\x0c", "`"+run)},
		{"a GIF in a text behind a vertical tab", gifWith("=\x0b`\x0b", "`"+run)},
		{"a GIF in a text behind a hard space", gifWith("\xa0=`\x01", "`"+run)},
		{"a GIF in a text behind a mark of UTF-8", gifWith("\xef\xbb\xbf`", "`"+run)},
		{"a GIF in a quoted text", gifWith("=\t'\x01", "x'"+run)},
		{"a GIF in a text with its end far away", gifWith("=`\x01\x01", far+"`"+run)},
		{"a GIF whose text has code in it", gifWith("=`\x01\x01", "${alert(1)}") + "`"},
		{"a GIF in a regular expression", gifWith("=/a\x01", "x/"+run)},
		{"a GIF in a comment of HTML", gifWith("<!--", "\n=1"+run)},
		{"a GIF in a comment of HTML that ends", gifWith("\n-->", "\n=1"+run)},
		{"a GIF in a text of Shift JIS", gifWith("=`\x01\x01", "\x81`\x00`"+run)},
		{"a GIF that changes its letters", gifWith("=`\x01\x01", "\x1b$B`\x00\x1b(B`"+run)},
		{"a GIF in a line that UTF-8 ends", gifWith("//\x09\x00", "\u2028=`\n\x00`"+run)},
		{"a GIF in little UTF-16", gifWith("=\x00`\x00", wide(binary.LittleEndian, "`;alert(1)//"))},
		{"a GIF in big UTF-16", gifWith("\x00=\x00`", wide(binary.BigEndian, "`;alert(1)//"))},
		{"a JPEG in a comment", jpegWith(0xE0, 0x2F2A, "\x00*/=1"+run+"/*") + "*/"},
		{"a JPEG whose segment's length is an operator", jpegWith(0xE0, 0x093D, "1;alert(1);/*") + "*/"},
		{"a JPEG of Exif in a text", jpegWith(0xE1, 0x6009, "Exif\x00`"+run) + "*/"},
		{"a WebP in a comment", webpWith("/*\x00\x00", "*/=1;alert(1)")},
		{"a WebP in a text with its end far away", webpWith("=`\x00\x00", far+"`;alert(1)")},
		{"a GIF that goes on behind what is looked at", gifWith("=`\x01\x01", "x") + strings.Repeat("x", headBytes) + "`;alert(1)"},
	}
}

func TestAPictureThatIsAlsoAProgramIsRefused(t *testing.T) {
	s := everyType(t)
	s.maxPixels = 1 << 40
	for _, row := range programs() {
		t.Run(row.name, func(t *testing.T) {
			_, e := s.inspect(&head{src: strings.NewReader(row.content)}, "")
			require.NotNil(t, e)
			require.Equal(t, ActiveContent, e.Code, e.Message)
		})
	}
}

func TestAPictureThatNobodyRunsIsTaken(t *testing.T) {
	for _, row := range []struct{ name, content string }{
		{"a text without its end", gifWith("=`\x01\x01", "alert(1)")},
		{"a text that pixels end", gifWith("=`\x01\x01", "`\x00")},
		{"a comment that goes on", gifWith("/*\x09\x00", "*/\x00")},
		{"a width of 96 pixels", gifWith("`\x00`\x00", "x")},
		{"a width of 34 pixels", gifWith("\"\x00\"\x00", "x")},
		{"an operator and no text", gifWith("=\x00=\x00", "alert(1)")},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, e := everyType(t).inspect(&head{src: strings.NewReader(row.content)}, "")
			require.Nil(t, e)
		})
	}
}

// What stands where a program would begin is a size or a length: none that an
// honest file has may look like one.

func TestGIFsOfEverySizeAreTaken(t *testing.T) {
	raw := [][]byte{encodedGIF(64, 64, 0), encodedGIF(64, 64, 1), encodedGIF(64, 64, 2)}
	for width := 64; width <= 4000; width++ {
		for kind, height := range []int{96, 1080, 2350} {
			content := raw[(width+kind)%len(raw)]
			binary.LittleEndian.PutUint16(content[6:], uint16(width))
			binary.LittleEndian.PutUint16(content[8:], uint16(height))
			require.False(t, readsAsScript(&head{src: bytes.NewReader(content)}), "%d by %d pixels", width, height)
		}
	}
}

func TestJPEGsAndWebPsOfEveryLengthAreTaken(t *testing.T) {
	raw, r := encodedJPEG(), rand.New(rand.NewPCG(1, 9))
	noise := make([]byte, 1<<16)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	for length := 8; length < 1<<16; length += 13 {
		exif := io.MultiReader(bytes.NewReader(binary.BigEndian.AppendUint16([]byte("\xff\xd8\xff\xe1"), uint16(length))),
			strings.NewReader("Exif\x00\x00"), bytes.NewReader(noise[:length-8]), bytes.NewReader(raw[2:]))
		require.False(t, readsAsScript(&head{src: exif}), "a JPEG with Exif of %d bytes", length)
		riff := io.MultiReader(bytes.NewReader(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(length))),
			strings.NewReader("WEBPVP8 "), bytes.NewReader(noise[:length-8]))
		require.False(t, readsAsScript(&head{src: riff}), "a WebP of %d bytes", length)
	}
}
