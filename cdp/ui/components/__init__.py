"""Small browser components (st.components.v2) that update in place, where Streamlit's own elements
would flicker or lose the zoom. Each is a Python function with typed parameters beside the
JavaScript and CSS it mounts."""
