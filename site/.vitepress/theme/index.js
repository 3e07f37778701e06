// The theme of VitePress with tables that fit: most pages of docs/ have one.
import theme from 'vitepress/theme';
import './tables.css';

export default theme;
