package uploads_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color/palette"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"
)

// These are files that tests send. Pictures have 3 by 2 pixels unless the name says
// otherwise.

func newPNG() string {
	var b bytes.Buffer
	_ = png.Encode(&b, image.NewGray(image.Rect(0, 0, 3, 2)))
	return b.String()
}

func newJPEG() string {
	var b bytes.Buffer
	_ = jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 3, 2)), nil)
	return b.String()
}

func newGIF(width, height int) string {
	var b bytes.Buffer
	_ = gif.Encode(&b, image.NewPaletted(image.Rect(0, 0, width, height), palette.WebSafe), nil)
	return b.String()
}

// newWebP returns a lossless picture with 1 pixel.
func newWebP() string {
	return "RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00"
}

// These say whether a WebP file of newExtendedWebP is an animation.
const (
	still = false
	moves = true
)

// newExtendedWebP returns the beginning of a WebP file with a canvas of this size, and with these chunks. If moves
// is true, the file is an animation.
func newExtendedWebP(width, height int, moves bool, chunks ...string) string {
	head := []byte("RIFF\x00\x01\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00")
	if moves {
		head[20] = 0x02 // the flag of animations
	}
	return string(little24(head, width-1, height-1)) + strings.Join(chunks, "")
}

// little24 appends each number in three bytes, the lowest byte first.
func little24(b []byte, numbers ...int) []byte {
	for _, n := range numbers {
		b = append(b, byte(n), byte(n>>8), byte(n>>16))
	}
	return b
}

func riffChunk(name, content string) string {
	return name + string(binary.LittleEndian.AppendUint32(nil, uint32(len(content)))) + content + strings.Repeat("\x00", len(content)%2)
}

// losslessChunk returns the chunk of a picture's beginning.
func losslessChunk(width, height int) string {
	return riffChunk("VP8L", "\x2f"+string(binary.LittleEndian.AppendUint32(nil, uint32(width-1|(height-1)<<14)))+strings.Repeat("\x00", 9))
}

// animationFrame returns a frame of an animation.
func animationFrame(x, y, width, height int, picture string) string {
	return riffChunk("ANMF", string(little24(nil, x/2, y/2, width-1, height-1))+"\x00\x00\x00\x00"+picture)
}

// newLossyWebP returns the beginning of a lossy WebP file that has a picture of this size.
func newLossyWebP(width, height int) string {
	head := []byte("RIFF\x00\x01\x00\x00WEBPVP8 \x0a\x00\x00\x00\x10\x00\x00\x9d\x01\x2a")
	head = binary.LittleEndian.AppendUint16(head, uint16(width))
	head = binary.LittleEndian.AppendUint16(head, uint16(height))
	return string(head)
}

func isoBox(name, content string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(8+len(content)))) + name + content
}

// newAVIF returns the headers of an AVIF file with one picture that is made of tiles.
func newAVIF(width, height int, tiles ...int) string {
	sizes := isoSize(width, height)
	for _, tile := range tiles {
		sizes = isoSize(tile, tile) + sizes + isoSize(tile, tile)
	}
	return isoBox("ftyp", "avif\x00\x00\x00\x00avifmif1miaf") +
		isoBox("meta", "\x00\x00\x00\x00"+isoBox("hdlr", "pict")+isoBox("iprp", isoBox("ipco", sizes))) +
		isoBox("mdat", "pixels")
}

func isoSize(width, height int) string {
	return isoBox("ispe", string(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(make([]byte, 4), uint32(width)), uint32(height))))
}

// newPNGHeader returns the header of a PNG with this size and a matching checksum.
func newPNGHeader(width, height uint32) string {
	ihdr := []byte("IHDR")
	ihdr = binary.BigEndian.AppendUint32(ihdr, width)
	ihdr = binary.BigEndian.AppendUint32(ihdr, height)
	ihdr = append(ihdr, 8, 0, 0, 0, 0) // 8 bits of grayscale

	const signatureAndLength = "\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"
	header := append([]byte(signatureAndLength), ihdr...)
	header = binary.BigEndian.AppendUint32(header, crc32.ChecksumIEEE(ihdr))
	return string(header)
}

// newScriptGIF returns a GIF that is also a JavaScript program. The bytes of its width are the opener of a comment,
// so that the text is GIF89a/*…*/=1;…
func newScriptGIF(opener string) string {
	return "GIF89a" + opener + "\x01\x00\x00\x00\x00" + // screen without a table
		"\x21\xfe\x12*/=1;alert('me')//\x00" +
		"\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00\x3b"
}

// newScriptJPEG returns a JPEG that is also text in Latin-1. JavaScript reads most of it as a comment.
func newScriptJPEG() string {
	j := newJPEG()
	padding := bytes.Repeat([]byte{0}, 0x2F2A-2)
	return j[:2] + "\xff\xe0/*" + string(padding) + "\xff\xfe\x00\x1c*/=alert('program');/*\x00\x00\x00\x00" + j[2:] + "*/"
}

const svgFile = `<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><rect id="r" width="9" height="9"/><use href="#r"/></svg>`

const htmlPage = "<!DOCTYPE html><html><script>alert(document.cookie)</script></html>"
